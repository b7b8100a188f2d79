"""The sandbox of Landlock: rules that a process without any rights sets for itself (landlock(7)).

    confine(plan, scratch) -> the sheet's path as seen from inside
    watch(child, scratch)  -> the exit status of the confined process

Rights that are *handled* are refused unless a rule grants them. Each version (ABI) of Landlock handles more of them;
``missing`` lists what an older one leaves open. No version covers ``stat``, so the existence, size and dates of a file can
be seen by its path. Landlock does not count either: the filter (``system_calls``) refuses new processes, and ``watch``, in
the launcher, limits threads and files.
"""

import contextlib
import ctypes
import os
import signal
import struct
from typing import Any

from lab.instructor.kernel import PR_SET_NO_NEW_PRIVS, SandboxError, become, check, libc

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on all machines
VERSION, PATH_BENEATH = 1, 1  # LANDLOCK_CREATE_RULESET_VERSION, LANDLOCK_RULE_PATH_BENEATH

# LANDLOCK_ACCESS_FS_*
WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
REMOVE_FILE, MAKE_REG, TRUNCATE = 1 << 5, 1 << 8, 1 << 14
READ = READ_FILE | READ_DIR
# Neither folders nor links may be made, so that ``watch`` sees all there is.
SCRATCH = READ | WRITE_FILE | REMOVE_FILE | MAKE_REG | TRUNCATE
DEVICES = {"/dev/null": READ_FILE | WRITE_FILE, "/dev/zero": READ_FILE, "/dev/urandom": READ_FILE}
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")

FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16, 9: 17}  # ABI: how many of the rights to files it handles
TCP_SINCE, TCP = 4, 0b11  # LANDLOCK_ACCESS_NET_BIND_TCP, _CONNECT_TCP
SCOPES_SINCE, SCOPES = 6, 0b11  # LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, _SIGNAL
MISSING = {  # below this ABI
    3: "a file that may be read may be emptied if its user may write it",
    TCP_SINCE: "TCP is refused by the filter alone",
    SCOPES_SINCE: "signals and abstract sockets are refused by the filter alone",
}
SHEETS = 63  # the descriptor of the sheets' folder, above all that Python opens
UNUSED_IDS = range(61_184, 65_520)  # where systemd looks for one, too (DynamicUser=)
SCRATCH_BYTES, SCRATCH_FILES, THREADS = 4 << 20, 4096, 16
WATCH_S = 0.05
BLOCK_BYTES = 512  # the unit of st_blocks


def abi() -> int:
    """Return the version that this kernel offers. Raises SandboxError without Landlock."""
    version = libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION)
    return check(version, "Landlock is not offered by this kernel")


def missing(version: int) -> list[str]:
    """Return what this version does not guarantee, a sentence each."""
    return [sentence for since, sentence in MISSING.items() if version < since]


def confine(plan: dict[str, Any], scratch: str) -> str:
    """Confine this process, a child of the launcher; return the sheet's path as seen from inside.

    Root becomes an unused user, who may not be allowed to walk the path to the sheets but may use a descriptor of their folder.
    """
    launcher = os.getppid()
    folder, name = os.path.split(plan["sheet"])
    os.dup2(os.open(folder, os.O_PATH | os.O_DIRECTORY), SHEETS)
    os.chdir(scratch)
    python = (*plan["python"], *LIBRARIES)
    for hidden in plan["hidden"]:
        if shown := [path for path in python if os.path.commonpath([path, hidden]) == path]:
            reason = f"{hidden} lies below {shown[0]}, which Python needs, and Landlock cannot hide it"
            raise SandboxError(reason)
    is_root = os.geteuid() == 0 and _has_other_users()
    _restrict(abi(), dict.fromkeys(python, READ) | {f"/proc/self/fd/{SHEETS}": READ, ".": SCRATCH})
    if is_root:
        uid = _unused_id(launcher)
        os.chown(scratch, uid, uid)
        become(uid)
    if os.getppid() != launcher:  # it ended before this process was tied to it
        raise SandboxError("the launcher has ended")
    try:
        os.listdir(library := os.path.dirname(os.__file__))
    except OSError as error:
        raise SandboxError(f"user {os.geteuid()}, who would run the code, may not read {library}") from error
    return f"/proc/self/fd/{SHEETS}/{name}"


def _restrict(version: int, allowed: dict[str, int]) -> None:
    """Refuse everything that this version handles, except ``allowed``: rights by path."""
    handled = (1 << max(count for since, count in FILE_RIGHTS.items() if since <= version)) - 1
    tcp, scopes = TCP if version >= TCP_SINCE else 0, SCOPES if version >= SCOPES_SINCE else 0
    attributes = struct.pack("=3Q", handled, tcp, scopes)
    size = ctypes.c_size_t(len(attributes))
    ruleset = check(libc().syscall(CREATE_RULESET, attributes, size, 0), "landlock_create_ruleset")
    for path, rights in (allowed | DEVICES).items():
        if os.path.exists(path):
            rights &= handled if os.path.isdir(path) else handled & ~READ_DIR
            rule = struct.pack("=Qi", rights, os.open(path, os.O_PATH))
            check(libc().syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0), f"landlock_add_rule {path}")
    check(libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    check(libc().syscall(RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")


def _has_other_users() -> bool:
    """Return whether this user namespace has more than one user. Otherwise root is an ordinary user outside of it."""
    with open("/proc/self/uid_map") as file:
        return sum(int(line.split()[2]) for line in file) > 1


def _unused_id(seed: int) -> int:
    """Return a user ID that is not in use. Sandboxes with different seeds most likely get different ones."""
    import pwd

    first = seed % len(UNUSED_IDS)
    for uid in (*UNUSED_IDS[first:], *UNUSED_IDS[:first]):
        try:
            pwd.getpwuid(uid)
        except KeyError:
            return uid
    raise SandboxError("root finds no unused user ID to change to")


def watch(child: int, scratch: str) -> int:
    """Wait for the child and return its status; kill it if it has too many threads or files. SIGCHLD must be blocked."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        if len(os.listdir(f"/proc/{child}/task")) > THREADS or _is_full(scratch):
            os.kill(child, signal.SIGKILL)
        signal.sigtimedwait([signal.SIGCHLD], WATCH_S)


def _is_full(scratch: str) -> bool:
    used = 0
    for count, entry in enumerate(os.scandir(scratch), 1):
        with contextlib.suppress(FileNotFoundError):  # it has just been deleted
            used += entry.stat(follow_symlinks=False).st_blocks * BLOCK_BYTES
        if count > SCRATCH_FILES or used > SCRATCH_BYTES:
            return True
    return False


def remove(scratch: str) -> None:
    for entry in os.scandir(scratch):
        os.unlink(entry)
    os.rmdir(scratch)
