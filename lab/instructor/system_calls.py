"""The system calls that are refused to a student's code, and the filter that refuses them.

    install(build_filter()) -> from now on, the kernel runs a small program before each system call (seccomp(2))

A refused call fails with EPERM, and Python raises PermissionError. The table says why each is refused. Calls that it does
not list are allowed: opening a file is for namespaces or Landlock to judge, since a filter sees numbers and not paths.

    another architecture, or x32   the process is killed: its numbers mean other calls
    newer than the table           ENOSYS, as on a kernel that does not have them
    clone3                         ENOSYS: a filter cannot see its flags, and libc then uses clone

The numbers are those of x86-64 and of the table that newer machines share. The latter has not been tried on a machine.
"""

import ctypes
import errno
import os
import struct

from lab.instructor.kernel import (
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    PR_SET_SECCOMP,
    SandboxError,
    check,
    libc,
)

# A table of data.
# Machine: its number in seccomp(2), and its column of REFUSED.
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1), "riscv64": (0xC00000F3, 1)}
Table = dict[str, dict[str, tuple[int | None, int | None]]]  # reason: name of the call: its numbers
REFUSED: Table = {
    "the limits, and the end with the grader, hold for one process that starts no other": {
        "clone": (56, 220), "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
        "prctl": (157, 167),
    },
    "a connection would lead out of the sandbox": {"socket": (41, 198), "socketpair": (53, 199)},
    "it could harm other processes of the same user": {
        "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
        "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424),
        "pidfd_getfd": (438, 438), "fcntl": (72, 25), "ptrace": (101, 117), "process_vm_readv": (310, 270),
        "process_vm_writev": (311, 271), "process_madvise": (440, 440), "process_mrelease": (448, 448),
        "kcmp": (312, 272), "migrate_pages": (256, 238), "move_pages": (279, 239), "prlimit64": (302, 261),
        "setpriority": (141, 140), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119),
        "sched_setaffinity": (203, 122), "sched_setattr": (314, 274), "ioprio_set": (251, 30),
    },
    "it could change the sandbox from inside": {
        "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "chroot": (161, 51),
        "pivot_root": (155, 41), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
        "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
        "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    },
    "such memory is outside of the address space, or belongs to other programs of the user": {
        "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193),
        "semctl": (66, 191), "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
        "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181), "memfd_create": (319, 279),
        "memfd_secret": (447, 447),
    },
    "the keys belong to the user": {"add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219)},
    "Landlock does not cover the attributes of files": {
        "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "chown": (92, None), "fchown": (93, 55),
        "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
        "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6),
        "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
        "truncate": (76, 45), "ioctl": (16, 29), "inotify_init": (253, None), "inotify_init1": (294, 26),
        "fanotify_init": (300, 262),
    },
    "no sheet needs it, and it has had many faults": {
        "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
        "userfaultfd": (323, 282), "bpf": (321, 280), "perf_event_open": (298, 241), "syslog": (103, 116),
    },
}  # fmt: skip
CLONE3, NEWEST = 435, 450  # the same on all machines
X32 = 1 << 30  # its numbers begin here

# Calls that are refused for some arguments only: the argument's place, how it is compared, and with what.
CLONE_THREAD = 0x00010000
F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY = 8, 10, 15, 1024, 1026
FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR = 0x40086602, 0x401C5820
REFUSED_IF = {
    "clone": (0, "lacks", [CLONE_THREAD]),
    "prctl": (0, "is", [PR_SET_PDEATHSIG]),  # the tie to the launcher
    "prlimit64": (0, "is not", [0]),  # 0 is the caller
    "fcntl": (1, "is", [F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY]),  # signals, by way of a file
    "ioctl": (1, "is", [FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR]),  # chattr(1)
}

STEP = struct.Struct("=HBBI")
Step = tuple[int, int, int, int]  # operation, steps to skip if true, steps to skip if false, value
LOAD, RETURN = 0x20, 0x06  # BPF_LD+W+ABS, BPF_RET+K
EQUAL, AT_LEAST, ABOVE, BIT_SET = 0x15, 0x35, 0x25, 0x45  # BPF_JMP+K: JEQ, JGE, JGT, JSET
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; an argument takes 8 bytes
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000  # SECCOMP_RET_*; the last with an errno
REFUSE: Step = (RETURN, 0, 0, ERROR | errno.EPERM)
UNKNOWN: Step = (RETURN, 0, 0, ERROR | errno.ENOSYS)
SECCOMP_MODE_FILTER = 2


def install(program: bytes) -> None:
    """Filter the system calls of this process from now on. Raises SandboxError."""
    code = ctypes.create_string_buffer(program)
    header = ctypes.create_string_buffer(
        struct.pack("@HP", len(program) // STEP.size, ctypes.addressof(code))
    )
    check(libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    check(libc().prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0), "seccomp")


def build_filter(machine: str = "", refused: Table = REFUSED) -> bytes:
    """Return the filter for a machine (default: this one). Raises SandboxError if its numbers are not known."""
    machine = machine or os.uname().machine
    if machine not in MACHINES:
        raise SandboxError(f"system calls cannot be filtered on {machine}: their numbers are not known here")
    architecture, column = MACHINES[machine]
    steps: list[Step] = [
        (LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, X32), (RETURN, 0, 0, KILL),
        (ABOVE, 0, 1, NEWEST), UNKNOWN, (EQUAL, 0, 1, CLONE3), UNKNOWN,
    ]  # fmt: skip
    for calls in refused.values():
        for name, numbers in calls.items():
            if (number := numbers[column]) is not None:
                refusal = _refuse_if(*REFUSED_IF[name]) if name in REFUSED_IF else [REFUSE]
                steps += [(EQUAL, 0, len(refusal), number), *refusal]
    steps.append((RETURN, 0, 0, ALLOW))
    return b"".join(STEP.pack(*step) for step in steps)


def _refuse_if(argument: int, how: str, values: list[int]) -> list[Step]:
    """Return the steps that refuse a call by the lower half of one argument (little-endian), or allow it."""
    steps: list[Step] = [(LOAD, 0, 0, ARGUMENTS + 8 * argument)]
    for value in values:
        test: Step = {
            "is": (EQUAL, 0, 1, value),
            "is not": (EQUAL, 1, 0, value),
            "lacks": (BIT_SET, 1, 0, value),
        }[how]
        steps += [test, REFUSE]
    return [*steps, (RETURN, 0, 0, ALLOW)]
