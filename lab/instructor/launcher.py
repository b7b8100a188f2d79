"""Make a sandbox and start a command in it: see ``sandbox`` for its guarantees.

    python -I -S launcher.py PLAN COMMAND ...

PLAN is JSON: ``folder`` and ``runner`` become INSIDE_SHEETS and INSIDE_RUNNER, ``python`` lists the folders that the
interpreter needs, ``hidden`` those that must not be visible, ``parent`` is the process that must exist. A plan without
``folder`` means limits only. Standard library only; the exit code is the command's, or EXIT_REFUSED.
"""

import ctypes
import errno
import json
import os
import select
import signal
import struct
import sys
from typing import Any

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
CLONE_THREAD = 0x00010000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
KEYCTL_JOIN_SESSION_KEYRING = 1
NOBODY = 65_534

CPU_S = 20  # of one process; a sheet's tasks share one
THREADS = 16
FILE_BYTES = 1 << 20
OPEN_FILES = 64
SCRATCH = "size=4m,nr_inodes=4k,mode=0755"  # what may be written into the new root, in memory
EXIT_REFUSED = 125

INSIDE_SHEETS, INSIDE_RUNNER = "/work", "/kit/runner.py"
SYSTEM_FOLDERS = ("/usr", "/bin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/alternatives")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")

# Machine: its number in seccomp(2), and its column of SYSCALLS.
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1), "riscv64": (0xC00000F3, 1)}
SYSCALLS = {
    "pivot_root": (155, 41),
    "clone": (56, 220), "clone3": (435, 435), "fork": (57, None), "vfork": (58, None),
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "io_uring_setup": (425, 425),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
}  # fmt: skip


class SandboxError(OSError):
    """The system refuses a step; the text names it."""


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result < 0:
        raise SandboxError(f"{what}: {os.strerror(ctypes.get_errno())}")


def _number(name: str) -> int | None:
    machine = os.uname().machine
    if machine not in MACHINES:
        raise SandboxError(f"system calls cannot be filtered on {machine}: their numbers are not known here")
    return SYSCALLS[name][MACHINES[machine][1]]


# --- namespaces and the new root ---


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    encoded = [None if one is None else one.encode() for one in (source, target, kind, data)]
    _check(_libc().mount(*encoded[:3], ctypes.c_ulong(flags), encoded[3]), f"mount {source} on {target}")


def _map_ids(proc: int, uid: int, gid: int) -> None:
    """Become user 1000 in the new user namespace. ``proc`` is a descriptor of /proc, which is out of reach by now."""

    texts = {"self/setgroups": "deny", "self/uid_map": f"1000 {uid} 1", "self/gid_map": f"1000 {gid} 1"}
    texts["sys/user/max_user_namespaces"] = "0"  # no further namespaces inside this one
    try:
        for name, text in texts.items():
            with open(os.open(name, os.O_WRONLY, dir_fd=proc), "wb", buffering=0) as file:
                file.write(text.encode())
    except OSError as error:
        raise SandboxError(f"the new namespace cannot be set up: {error}") from error


def _enter(plan: dict[str, Any]) -> None:
    """Enter all namespaces and the new root. Root builds it first, then becomes nobody: see ``sandbox``."""
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    built = False
    if os.geteuid() == 0:
        try:
            _check(_libc().unshare(CLONE_NEWNS), "unshare")
            _new_root(plan)
            built = True
        except SandboxError:
            if os.getcwd() == "/tmp" and not os.path.exists("/proc"):
                raise
    if built:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        # The change hides /proc/self, which the maps of IDs are written through, and clears the signal.
        _libc().prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    uid, gid = os.geteuid(), os.getegid()
    namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
    _check(_libc().unshare(namespaces), "unshare")
    _map_ids(proc, uid, gid)
    os.close(proc)
    if not built:
        _new_root(plan)
    # If the kernel has no keyrings, or a container refuses them, there are none inside either.
    _libc().syscall(_number("keyctl"), KEYCTL_JOIN_SESSION_KEYRING, None)


def _new_root(plan: dict[str, Any]) -> None:
    """Make an empty file system with only what is needed in it, read-only; unmount the old one."""
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    root = "/tmp"  # any existing folder: the new root covers it for this process only
    opened, links = [], []  # what is bound is opened before /tmp is covered: it may lie below it
    targets = [(path, path) for path in (*SYSTEM_FOLDERS, *plan["python"], *DEVICES)]
    targets += [(plan["folder"], INSIDE_SHEETS), (plan["runner"], INSIDE_RUNNER)]
    for source, target in targets:
        if os.path.islink(source) and target in SYSTEM_FOLDERS:
            links.append((os.readlink(source), target))
        elif os.path.exists(source):
            opened.append((os.open(source, os.O_PATH | os.O_CLOEXEC), target, os.path.isdir(source)))
    _mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, SCRATCH)
    for source, target in links:
        os.makedirs(os.path.dirname(root + target), exist_ok=True)
        os.symlink(source, root + target)
    for descriptor, target, is_folder in opened:
        place = root + target
        if os.path.lexists(place):
            continue  # below something that is bound already
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if is_folder:
            os.makedirs(place, exist_ok=True)
        else:
            os.close(os.open(place, os.O_WRONLY | os.O_CREAT, 0o644))
        _mount(f"/proc/self/fd/{descriptor}", place, None, MS_BIND | MS_REC)
        _read_only(place, target in DEVICES)
    for path in plan["hidden"]:
        place = root + path
        if os.path.isdir(place):
            _mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_RDONLY, "size=4k,mode=0555")
    os.makedirs(root + "/tmp", exist_ok=True)
    os.chmod(root + "/tmp", 0o777)
    os.chdir(root)
    _check(_libc().syscall(_number("pivot_root"), b".", b"."), "pivot_root")
    _check(_libc().umount2(b".", MNT_DETACH), "umount")
    os.chdir("/tmp")


def _read_only(place: str, device: bool) -> None:
    """Remount what was bound as read-only. The flags that it has must be kept, or the kernel refuses."""
    flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | (0 if device else MS_NODEV)
    have = os.statvfs(place).f_flag
    flags |= have & (os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME | os.ST_RELATIME)
    try:
        _mount("none", place, None, flags)
    except SandboxError:
        if not device:
            raise


# --- limits and the filter ---


def _limit() -> None:
    import resource  # not on Windows, where sandbox.limits_only does without this program

    limits = {"CPU": CPU_S, "FSIZE": FILE_BYTES, "NOFILE": OPEN_FILES, "CORE": 0, "NPROC": THREADS}
    limits |= {"MSGQUEUE": 0, "MEMLOCK": 0, "SIGPENDING": 64}
    for name, value in limits.items():
        if (what := getattr(resource, f"RLIMIT_{name}", None)) is not None:
            hard = resource.getrlimit(what)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(what, (value, value))


def _filter_system_calls() -> None:
    """Refuse (EPERM) new processes, but not threads; memory outside of the address space; keyrings; tracing.

    A filter is a small program that the kernel runs before each system call (seccomp(2), classic BPF).
    """
    load, equal, at_least, bit_set, leave = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF_LD+W+ABS, JEQ, JGE, JSET, RET
    allow, kill, refuse = 0x7FFF0000, 0x80000000, 0x00050000  # SECCOMP_RET_*; the last with an errno
    permission, unknown = refuse | errno.EPERM, refuse | errno.ENOSYS
    clone, clone3 = _number("clone"), _number("clone3")
    assert clone and clone3  # every machine has them
    program = [(load, 0, 0, 4), (equal, 1, 0, MACHINES[os.uname().machine][0]), (leave, 0, 0, kill)]
    # x32 numbers begin at 1 << 30. Without clone3, libc uses clone, whose flags can be seen.
    program += [(load, 0, 0, 0), (at_least, 0, 1, 1 << 30), (leave, 0, 0, permission)]
    program += [(equal, 0, 1, clone3), (leave, 0, 0, unknown)]
    for name in SYSCALLS.keys() - {"clone", "clone3", "pivot_root"}:
        if (number := _number(name)) is not None:
            program += [(equal, 0, 1, number), (leave, 0, 0, permission)]
    program += [(equal, 1, 0, clone), (leave, 0, 0, allow)]
    program += [(load, 0, 0, 16), (bit_set, 1, 0, CLONE_THREAD)]
    program += [(leave, 0, 0, permission), (leave, 0, 0, allow)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    _check(_libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _check(_libc().prctl(PR_SET_SECCOMP, 2, header, 0, 0), "seccomp")  # 2: SECCOMP_MODE_FILTER


# --- the processes ---


def main(arguments: list[str]) -> int:
    plan, program = json.loads(arguments[0]), arguments[1:]
    try:
        if "folder" not in plan:
            _limits_only(program)
        _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != plan["parent"]:  # the parent has died already
            return EXIT_REFUSED
        _enter(plan)
        alive, held_open = os.pipe()
        if first := os.fork():
            os.close(alive)
            os.closerange(0, 3)  # our ends of the grader's pipes, so that they end with the program
            return os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) & 0xFF
        os.close(held_open)
        return _be_first(alive, program)
    except OSError as error:
        print(f"no sandbox: {error.strerror or error}", file=sys.stderr, flush=True)
        return EXIT_REFUSED


def _limits_only(program: list[str]) -> None:
    if sys.platform.startswith("linux"):
        _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _limit()
    try:
        _filter_system_calls()
    except (SandboxError, AttributeError):
        pass  # another system or machine: the watch over memory holds (``lab.exercises.checks.process_tree``)
    os.execv(program[0], program)


def _be_first(alive: int, program: list[str]) -> int:
    """Run as the first process of the pid namespace: start the program, and end everything with it.

    From inside, this process cannot be killed or stopped (pid_namespaces(7)) nor traced: it is not dumpable.
    """
    _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if select.select([alive], [], [], 0)[0]:  # end of file: the launcher has died already
        return EXIT_REFUSED
    _libc().prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if not (started := os.fork()):
        os.close(alive)
        os.setsid()  # leave the launcher's group, which kill(0, ...) would reach
        _limit()
        _filter_system_calls()
        os.execv(program[0], program)
    os.closerange(0, 3)
    while True:
        ended, status = os.wait()
        if ended == started:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
