"""The filter of system calls: its numbers against the kernel's headers, and its program run step by step."""

import errno
import re
import struct
from pathlib import Path

import pytest

from lab.instructor import system_calls
from lab.instructor.kernel import SandboxError
from lab.instructor.system_calls import ALLOW, ERROR, KILL, MACHINES, NEWEST, REFUSED, STEP, build_filter
from tests.support import some_of

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
READ, CLONE, PRLIMIT = (
    {"x86_64": 0, "aarch64": 63},
    {"x86_64": 56, "aarch64": 220},
    {"x86_64": 302, "aarch64": 261},
)
REFUSE, UNKNOWN = ERROR | errno.EPERM, ERROR | errno.ENOSYS


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the filter of a machine returns for a call, by an interpreter of the few instructions that it has."""
    numbers = (number, architecture or MACHINES[machine][0], 0)
    data = struct.pack("=IIQ6Q", *numbers, *arguments, *[0] * (6 - len(arguments)))
    program, at, loaded = list(STEP.iter_unpack(build_filter(machine))), 0, 0
    tests = {0x15: int.__eq__, 0x35: int.__ge__, 0x25: int.__gt__, 0x45: int.__and__}
    while True:
        operation, if_true, if_false, value = program[at]
        at += 1
        if operation == 0x20:
            loaded = struct.unpack_from("=I", data, value)[0]
        elif operation == 0x06:
            return value
        else:
            at += if_true if tests[operation](loaded, value) else if_false


@pytest.mark.parametrize("machine", HEADERS)
def test_the_numbers_are_the_kernels(machine):
    if not HEADERS[machine].exists():
        pytest.skip("the kernel's headers are not installed")
    lines = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\n", HEADERS[machine].read_text())
    known = {name: int(number) for name, number in lines}
    column = MACHINES[machine][1]
    ours = {name: numbers[column] for calls in REFUSED.values() for name, numbers in calls.items()}
    assert {name: number for name, number in ours.items() if number != known.get(name)} == {}
    assert known["clone3"] == system_calls.CLONE3


@pytest.mark.parametrize("machine", HEADERS)
@pytest.mark.parametrize("reason", some_of(REFUSED))
def test_what_the_table_lists_is_refused(machine, reason):
    for name, numbers in REFUSED[reason].items():
        number = numbers[MACHINES[machine][1]]
        if number is not None and name not in system_calls.REFUSED_IF:
            assert verdict(machine, number) == REFUSE, name


@pytest.mark.parametrize("machine", HEADERS)
def test_some_calls_are_refused_for_some_arguments_only(machine):
    assert verdict(machine, READ[machine]) == ALLOW
    assert verdict(machine, CLONE[machine], 0x003D0F00) == ALLOW  # the flags of a thread
    assert verdict(machine, CLONE[machine], 17) == REFUSE
    assert verdict(machine, PRLIMIT[machine], 0) == ALLOW and verdict(machine, PRLIMIT[machine], 1) == REFUSE
    prctl, ioctl, fcntl = (
        next(calls[name][MACHINES[machine][1]] for calls in REFUSED.values() if name in calls)
        for name in ("prctl", "ioctl", "fcntl")
    )
    assert verdict(machine, prctl, 1) == REFUSE and verdict(machine, prctl, 15) == ALLOW
    assert verdict(machine, ioctl, 5, 0x40086602) == REFUSE and verdict(machine, ioctl, 5, 0x5401) == ALLOW
    assert [verdict(machine, fcntl, 5, one) == REFUSE for one in (0, 1, 8, 10, 15, 1024, 1026, 1030)] == (
        [False, False, True, True, True, True, True, False]
    )


def test_other_tables_are_killed_and_newer_calls_are_unknown():
    assert verdict("x86_64", 20, architecture=0x40000003) == KILL  # i386
    assert verdict("x86_64", 1 << 30) == verdict("x86_64", 0xFFFFFFFF) == KILL
    for machine in HEADERS:
        assert verdict(machine, NEWEST + 1) == verdict(machine, system_calls.CLONE3) == UNKNOWN


def test_a_machine_whose_numbers_are_not_known_is_refused():
    with pytest.raises(SandboxError, match="cannot be filtered on sparc"):
        build_filter("sparc")
