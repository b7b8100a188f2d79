"""A process that can only compute: no network, no other files, bounded in time, memory, processes and output.

    command(folder) -> how to start runner.py with the files of FOLDER and nothing else

The kit's launcher (``python -I -S sandbox.py PLAN COMMAND ...``, standard library only) makes six namespaces at once
and then gives everything away:

    user    who starts it owns the rest; inside it is an ordinary user, so that exec leaves no right mount   a new
    root: an empty tmpfs with Python, its libraries, the runner and the submission, all read-only pid     the code
    sees only itself; when the first process of it ends, the kernel ends all others: no fork bomb survives net     not
    even a loopback that is up        ipc, uts   nothing shared

Then limits (setrlimit(2)): CPU time, address space, processes, file size, open files. Output is bounded by who reads
it (``lab.checking.child``). What the code does to its own process is its own affair: results are compared elsewhere.

Started by root it builds the new root as root and then becomes the user "nobody": root is above the limit on
processes. Where namespaces are refused (``refusal`` says why), only the limits hold, and the grader warns: then a
submission may read what its user may read.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
NOBODY = 65_534

CPU_S = 20  # of one process; a sheet's tasks share one
PROCESSES = 16
FILE_BYTES = 1 << 20
OPEN_FILES = 64
SCRATCH = "4m"  # what may be written into the new root, in memory
EXIT_REFUSED = 125

INSIDE_SHEETS, INSIDE_RUNNER = "/work", "/kit/runner.py"
SYSTEM_FOLDERS = ("/usr", "/bin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/alternatives")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


class SandboxError(OSError):
    """The system refuses a step; the text names it."""


# --- the grader's side
# ------------------------------------------------------------------------------------------------


def command(arguments: Sequence[str], folder: Path, runner: Path, hidden: Sequence[Path] = ()) -> list[str]:
    """The argument list that runs ``arguments`` (of runner.py) in a sandbox that holds ``folder`` at INSIDE_SHEETS.

    ``hidden`` are folders that must not be seen even if they lie below one that Python needs.
    """
    plan = {
        "folder": str(folder.resolve()),
        "runner": str(runner.resolve()),
        "python": _python_folders(),
        "hidden": [str(path.resolve()) for path in hidden],
    }
    return [
        sys.executable,
        "-I",
        "-S",
        __file__,
        json.dumps(plan),
        _real_python(),
        "-I",
        "-S",
        INSIDE_RUNNER,
        *arguments[1:],
    ]


def limits_only(arguments: Sequence[str]) -> list[str]:
    """The same where there are no namespaces: limits, and nothing hidden."""
    return [sys.executable, "-I", "-S", __file__, "{}", sys.executable, "-I", "-S", *arguments]


def refusal(runner: Path, folder: Path) -> str | None:
    """Why there can be no sandbox here, or None: tried, not guessed."""
    if not sys.platform.startswith("linux"):
        return "namespaces exist on Linux only"
    probe = folder / "probe.py"
    probe.write_text("def f():\n    return 1\n")
    words = command([str(runner), f"{INSIDE_SHEETS}/{probe.name}"], folder, runner)
    try:
        done = subprocess.run(
            words, input=b'{"id": 1, "call": "f", "arguments": []}\n', capture_output=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        probe.unlink(missing_ok=True)
    if b'"result": 1' in done.stdout:
        return None
    return done.stderr.decode(errors="replace").strip()[-200:] or f"exit code {done.returncode}"


def _real_python() -> str:
    """The interpreter itself, not a virtual environment's link to it."""
    return os.path.realpath(sys.executable)


def _python_folders() -> list[str]:
    """What the interpreter and its standard library need, where the system's own folders do not hold it."""
    wanted = {os.path.dirname(os.path.dirname(_real_python())), sysconfig.get_paths()["stdlib"]}
    wanted |= {sysconfig.get_config_var("LIBDIR") or ""} | {sys.base_prefix}
    return sorted(path for path in map(os.path.realpath, wanted - {""}) if path != "/" and os.path.isdir(path))


# --- the launcher's side, standard library only
# -----------------------------------------------------------------------


def _libc():
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        raise SandboxError(f"{what}: {os.strerror(ctypes.get_errno())}")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    encoded = [None if one is None else one.encode() for one in (source, target, kind, data)]
    _check(_libc().mount(*encoded[:3], ctypes.c_ulong(flags), encoded[3]), f"mount {source} on {target}")


def _become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    # A change of user hides /proc/self from the process itself, which the maps of ids are written through: show it
    # again.
    _libc().prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of user clears it


def _unshare(flags: int) -> None:
    _check(_libc().unshare(flags), "unshare")


def _map_ids(proc: int, uid: int, gid: int) -> None:
    """Be user 1000 in the new user namespace. PROC is a descriptor of /proc, which may be out of sight by now."""

    def write(name: str, text: str) -> None:
        descriptor = os.open(name, os.O_WRONLY, dir_fd=proc)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)

    try:
        write("self/setgroups", "deny")
        write("self/uid_map", f"1000 {uid} 1")
        write("self/gid_map", f"1000 {gid} 1")
        write("sys/user/max_user_namespaces", "0")  # those inside this one: there is no second way out
    except OSError as error:
        raise SandboxError(f"the new namespace cannot be set up: {error}") from error


def _enter(plan: dict) -> None:
    """All namespaces and the new root. Root builds the root first, then becomes nobody: see the module's docstring."""
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    built = False
    if os.geteuid() == 0:
        try:
            _unshare(CLONE_NEWNS)
            _new_root(plan)
            built = True
        except SandboxError:
            if os.getcwd() == "/tmp" and not os.path.exists("/proc"):
                raise
        if built:
            _become_nobody()
    uid, gid = os.geteuid(), os.getegid()
    _unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
    _map_ids(proc, uid, gid)
    os.close(proc)
    if not built:
        _new_root(plan)


def _new_root(plan: dict) -> None:
    """An empty file system with just what is needed in it, read-only; the old one is let go."""
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    root = "/tmp"  # any folder that is there: the new root covers it for this process alone
    # What is bound must be opened before /tmp is covered: it may lie below it.
    opened = []
    targets = [(path, path) for path in (*SYSTEM_FOLDERS, *plan["python"], *DEVICES)]
    targets += [(plan["folder"], INSIDE_SHEETS), (plan["runner"], INSIDE_RUNNER)]
    for source, target in targets:
        if os.path.islink(source) and target in SYSTEM_FOLDERS:
            opened.append((None, target, os.readlink(source)))
        elif os.path.exists(source):
            opened.append((os.open(source, os.O_PATH | os.O_CLOEXEC), target, os.path.isdir(source)))
    _mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, f"size={SCRATCH},mode=0755")
    for descriptor, target, what in opened:
        place = root + target
        if os.path.lexists(place):
            continue  # below something bound already
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if descriptor is None:
            os.symlink(what, place)
            continue
        if what:
            os.makedirs(place, exist_ok=True)
        else:
            os.close(os.open(place, os.O_WRONLY | os.O_CREAT, 0o644))
        _mount(f"/proc/self/fd/{descriptor}", place, None, MS_BIND | MS_REC)
        _read_only(place, target in DEVICES)
    for path in plan["hidden"]:
        place = root + path
        if os.path.isdir(place):
            _mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_RDONLY, "size=4k,mode=0555")
    os.makedirs(root + "/tmp", mode=0o777, exist_ok=True)
    os.chdir(root)
    _check(_libc().syscall(_PIVOT_ROOT, b".", b"."), "pivot_root")
    _check(_libc().umount2(b".", MNT_DETACH), "umount")
    os.chdir("/tmp")


_PIVOT_ROOT = {
    "x86_64": 155,
    "aarch64": 41,
    "armv7l": 218,
    "i686": 217,
    "ppc64le": 203,
    "s390x": 217,
    "riscv64": 41,
}.get(os.uname().machine if hasattr(os, "uname") else "", 155)


def _read_only(place: str, device: bool) -> None:
    """Remount what was bound read-only. Flags that the file system has already must be kept, or the kernel refuses."""
    flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | (0 if device else MS_NODEV)
    have = os.statvfs(place).f_flag
    flags |= have & (os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME | os.ST_RELATIME)
    try:
        _mount("none", place, None, flags)
    except SandboxError:
        if not device:
            raise


def _limit() -> None:
    for what, value in (
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, PROCESSES),
    ):
        hard = resource.getrlimit(what)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))


def main(arguments: list[str]) -> int:
    plan, program = json.loads(arguments[0]), arguments[1:]
    libc = _libc()
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if not plan:
        _limit()
        os.execv(program[0], program)
    try:
        _enter(plan)
        child = os.fork()  # the first process of the new pid namespace
        if child:
            return _wait_for(child)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        _limit()
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        os.execv(program[0], program)
    except OSError as error:
        print(f"no sandbox: {error.strerror or error}", file=sys.stderr)
        os._exit(EXIT_REFUSED)
    return EXIT_REFUSED


def _wait_for(child: int) -> int:
    """Stand between the grader and the first process; what we hold of its pipes must not keep them open."""
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
