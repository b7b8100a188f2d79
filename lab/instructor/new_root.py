"""The sandbox of namespaces: six of them, and a new root with only what a sheet needs, read-only.

    enter(plan) -> the process is in them, and its next child is process 1 of the new pid namespace

The namespaces, whose rights are dropped before the student's code starts:

    user       inside, the code runs as an ordinary user
    mount      a new root: a tmpfs with Python, its libraries and the submission
    pid        the code sees only itself; when process 1 ends, the kernel kills all others
    net        without even a loopback that is up
    ipc, uts   nothing shared

The plan is the launcher's: the folder of its ``sheet`` becomes INSIDE_SHEETS. A session keyring of its own comes besides.
"""

import contextlib
import ctypes
import os
from typing import Any

from lab.instructor.kernel import SandboxError, become, check, libc

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
KEYCTL_JOIN_SESSION_KEYRING = 1
PIVOT_ROOT, KEYCTL = (155, 250) if os.name == "posix" and os.uname().machine == "x86_64" else (41, 219)
NOBODY = 65_534

SCRATCH = "size=4m,nr_inodes=4k,mode=0755"  # what may be written into the new root, in memory
INSIDE_SHEETS = "/sheets"
SYSTEM_FOLDERS = ("/usr", "/bin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/alternatives")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    encoded = [None if one is None else one.encode() for one in (source, target, kind, data)]
    check(libc().mount(*encoded[:3], ctypes.c_ulong(flags), encoded[3]), f"mount {source} on {target}")


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


def enter(plan: dict[str, Any]) -> None:
    """Enter all namespaces and the new root. Root builds it first, then becomes nobody: see ``sandbox``."""
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    built = False
    if os.geteuid() == 0:
        with contextlib.suppress(SandboxError):  # it may lack the right, as in a container
            check(libc().unshare(CLONE_NEWNS), "unshare")
            _new_root(plan)
            built = True
    if built:
        become(NOBODY)
    uid, gid = os.geteuid(), os.getegid()
    namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
    check(libc().unshare(namespaces), "unshare")
    _map_ids(proc, uid, gid)
    os.close(proc)
    if not built:
        _new_root(plan)
    # If the kernel has no keyrings, or a container refuses them, there are none inside either.
    libc().syscall(KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, None)


def _new_root(plan: dict[str, Any]) -> None:
    """Make an empty file system with only what is needed in it, read-only; unmount the old one."""
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    root = "/tmp"  # any existing folder: the new root covers it for this process only
    opened, links = [], []  # what is bound is opened before /tmp is covered: it may lie below it
    targets = [(path, path) for path in (*SYSTEM_FOLDERS, *plan["python"], *DEVICES)]
    targets.append((os.path.dirname(plan["sheet"]), INSIDE_SHEETS))
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
    for descriptor, *_ in opened:
        os.close(descriptor)  # it leads out of the new root
    for path in plan["hidden"]:
        place = root + path
        if os.path.isdir(place):
            _mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_RDONLY, "size=4k,mode=0555")
    os.makedirs(root + "/tmp", exist_ok=True)
    os.chmod(root + "/tmp", 0o777)
    os.chdir(root)
    check(libc().syscall(PIVOT_ROOT, b".", b"."), "pivot_root")
    check(libc().umount2(b".", MNT_DETACH), "umount")
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
