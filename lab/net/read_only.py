"""Run a program of a host so that it can write into one folder only, and sees no other process.

    python -m lab.net.read_only FOLDER COMMAND ...

``Host.popen`` starts it on a host, where an ordinary user has the right to do this. The command becomes process 1
of a pid namespace of its own and works in ``FOLDER``; in its mount namespace everything else is read-only. It is
not a sandbox against hostile code (the grader's is ``lab.instructor.sandbox``): it can still read all files.
Linux 5.12 and later.
"""

import ctypes
import errno
import os
import subprocess
import sys

from lab.net.namespace import CLONE_NEWPID, EXIT_NOT_FOUND, EXIT_REFUSED

CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 1 << 18
MOUNT_SETATTR = 442  # the number of the system call, mount_setattr(2)
AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = -100, 0x8000, 1


def enter(folder: str) -> None:
    """Move into the namespaces, the calling process's next child being process 1, and into the folder. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    place = os.fsencode(os.path.realpath(folder))
    _check(libc.unshare(CLONE_NEWNS | CLONE_NEWPID), "unshare")
    _check(libc.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None), "mount /")
    _check(libc.mount(place, place, None, ctypes.c_ulong(MS_BIND), None), f"mount {folder}")
    for path, flags, switched_on, switched_off in (
        (b"/", AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0),
        (place, 0, 0, MOUNT_ATTR_RDONLY),
    ):
        attributes = (ctypes.c_uint64 * 4)(switched_on, switched_off, 0, 0)
        size = ctypes.c_size_t(ctypes.sizeof(attributes))
        done = libc.syscall(MOUNT_SETATTR, AT_FDCWD, path, ctypes.c_uint(flags), attributes, size)
        _check(done, "mount_setattr")
    os.chdir(place)


def _check(result: int, name: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        needs = ", which needs Linux 5.12" if code == errno.ENOSYS else ""
        raise OSError(code, f"{name}: {os.strerror(code)}{needs}")


def main(arguments: list[str]) -> int:
    folder, *command = arguments
    try:
        enter(folder)
    except OSError as error:
        print(f"no read-only file system: {error.strerror}", file=sys.stderr)
        return EXIT_REFUSED
    try:
        return subprocess.call(command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return EXIT_NOT_FOUND


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
