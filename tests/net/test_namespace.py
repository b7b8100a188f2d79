"""Namespaces: entered, joined, refused, and what is said of a refusal."""

import platform
import subprocess
import sys

import pytest

from lab.net import namespace
from tests.support import ROOT, needs_namespaces

pytestmark = [
    pytest.mark.as_root,
    needs_namespaces,
]


def run(command: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)


def test_a_new_namespace_is_empty_but_for_its_loopback():
    done = run(namespace.launcher(["cat", "/proc/net/dev"]))
    assert [line.split(":")[0].strip() for line in done.stdout.splitlines()[2:]] == ["lo"]
    assert run(namespace.launcher(["id", "-u"])).stdout == "0\n"


def test_the_launcher_passes_exit_codes_on_and_names_what_is_missing():
    assert run(namespace.launcher(["sh", "-c", "exit 9"])).returncode == 9
    done = run(namespace.launcher(["no-such-program"]))
    assert (done.returncode, done.stderr) == (
        namespace.EXIT_NOT_FOUND,
        "no program 'no-such-program' on this machine\n",
    )


def test_nothing_forbids_them_here():
    assert namespace.diagnosis() is None


TELL = "from lab.net import namespace; print(*namespace.diagnosis(), sep='\\n')"


def test_a_limit_of_none_is_named_with_its_setting():
    program = f"open('/proc/sys/user/max_net_namespaces', 'w').write('0')\n{TELL}"
    assert run(namespace.launcher([sys.executable, "-c", program])).stdout.splitlines() == [
        "network namespaces are switched off (their number is limited to 0)",
        "sudo sysctl -w user.max_net_namespaces=10000",
    ]


# What a container's filter does: unshare(2) fails with EPERM, everything else passes (seccomp(2), classic BPF)
FILTER = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
load_number, equal, answer = 0x20, 0x15, 0x06
program = b"".join(struct.pack("HBBI", *one) for one in [
    (load_number, 0, 0, 0), (equal, 0, 1, UNSHARE), (answer, 0, 0, 0x00050001), (answer, 0, 0, 0x7FFF0000)])
code = ctypes.create_string_buffer(program, len(program))
filter = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filter, 0, 0) == 0, "no filter could be set"
"""
UNSHARE = {"x86_64": 272, "aarch64": 97}.get(platform.machine())


@pytest.mark.skipif(
    UNSHARE is None, reason="the number of unshare(2) on this processor is not in the test's table"
)
def test_a_seccomp_filter_is_named():
    done = run([sys.executable, "-c", FILTER.replace("UNSHARE", str(UNSHARE)) + TELL])
    assert done.stdout.splitlines() == [
        "a container's seccomp filter forbids namespaces (unshare: Operation not permitted)",
        "run the kit outside of the container, or start it with --security-opt seccomp=unconfined",
    ]


@pytest.mark.parametrize(
    "setting, value, says, fix",
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor", "0"),
        ("kernel/unprivileged_userns_clone", "0", "this kernel", "1"),
        ("user/max_user_namespaces", "0", "user namespaces are switched off", "10000"),
    ],
)
def test_a_setting_that_forbids_them_is_named(monkeypatch, setting, value, says, fix):
    """These belong to the whole machine, so they are not changed here, only made believe."""
    monkeypatch.setattr(
        namespace, "read_setting", lambda path, line="": value if path == f"/proc/sys/{setting}" else None
    )
    sentence, cure = namespace.cause_of("unshare: Operation not permitted")
    assert sentence.startswith(says) and cure == f"sudo sysctl -w {setting.replace('/', '.')}={fix}"


def test_another_system_is_told_what_it_can_do(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert namespace.refusal() == "network namespaces exist on Linux only"
    assert namespace.diagnosis()[1] == "record on the loopback, or use the captures in captures/"
    with pytest.raises(namespace.NamespaceError):
        namespace.unshare()


@needs_namespaces
def test_a_namespace_that_is_silent_is_refused(monkeypatch):
    waits = namespace.launcher([sys.executable, "-c", "import threading; threading.Event().wait(60)"])
    monkeypatch.setattr(namespace, "launcher", lambda command: waits)
    monkeypatch.setattr(namespace, "TRIED_S", 0.5)
    assert namespace.refusal() == "a process in a new namespace has not ended within 0.5 s"
