"""Linux user, network and process namespaces: a network of its own for a program of an ordinary user.

Linux lets any user make a *user namespace* (``user_namespaces(7)``) and, inside it, a *network namespace*: an empty
network stack with nothing but its own loopback. A process in it may record every packet without sudo, and can neither
see nor touch the machine's real network. A *pid namespace* ties processes together: when its first process ends, the
kernel kills all the others.

As a program, this file makes or joins namespaces and then runs the command that it is given (``popen``, ``popen_joined``):

    namespace.py COMMAND ...                 a new user and network namespace, loopback up
    namespace.py --join 5,6,7 COMMAND ...    the user, pid and network namespaces behind these descriptors

A namespace lives as long as a process in it or a descriptor on it, so nothing has to be cleared away afterwards. The
command is killed with the process that started it (``PR_SET_PDEATHSIG``). Standard library only; Linux only. Some
systems forbid it (AppArmor on recent Ubuntu, seccomp in containers): ``diagnosis`` names the cause and the cure.
"""

import ctypes
import errno
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1

EXIT_REFUSED = 125  # exit code of the launcher when the system refuses the namespace
EXIT_NOT_FOUND = 127  # ... and when the command cannot be started, as a shell does
KILL_COMMAND = getattr(signal, "SIGRTMIN", 0)  # asks the stand-in of --join to kill the command
TRIED_S = 30.0  # a namespace, to see whether it is allowed
LINUX_ONLY = "network namespaces exist on Linux only"
SENT_BY_KERNEL = 0x80  # si_code of a signal from a key of the terminal (sigaction(2), SI_KERNEL)


class NamespaceError(OSError):
    """The system refuses a user or network namespace; the text names the step that failed."""


class Program(subprocess.Popen[Any]):
    """A command in joined namespaces: what is seen and signalled here is its stand-in (``_run_joined``)."""

    def send_signal(self, sig: int) -> None:
        """Signal the command. The stand-in passes SIGKILL on too, because it must live to report the command's end."""
        super().send_signal(KILL_COMMAND if sig == signal.SIGKILL else sig)


def end(process: "subprocess.Popen[Any]", within_s: float, sig: int = 0) -> None:
    """Send a signal, if any, and wait for a process; kill it after ``within_s``, or where this is interrupted.

    A stand-in that does not pass this on is killed itself, and the kernel kills its command. Raises TimeoutExpired.
    """
    try:
        if sig:
            process.send_signal(sig)
        process.wait(within_s)
    except BaseException as error:
        process.kill()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            subprocess.Popen.send_signal(process, signal.SIGKILL)
            process.wait(within_s)


def unshare(own_processes: bool = False) -> None:
    """Move the calling process (single-threaded) into a new user and network namespace, loopback up.

    ``own_processes`` adds a pid namespace: the *next child* is its first process, and ends all the others with it.
    Root does without a user namespace where these are switched off. Raises NamespaceError where the system refuses.
    """
    if not sys.platform.startswith("linux"):
        raise NamespaceError(LINUX_ONLY)
    uid, gid = os.geteuid(), os.getegid()
    wanted = CLONE_NEWNET | (CLONE_NEWPID if own_processes else 0)
    # Without a mapping of ids the process owns nothing; setgroups must be given up first.
    mapping = {"setgroups": "deny", "uid_map": f"0 {uid} 1", "gid_map": f"0 {gid} 1"}
    try:
        _call("unshare", CLONE_NEWUSER | wanted)
    except NamespaceError:
        if uid != 0:
            raise
        _call("unshare", wanted)
        mapping = {}
    try:
        for name, text in mapping.items():
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
        loopback_up()
    except OSError as error:
        raise NamespaceError(f"the new namespace cannot be set up: {error}") from error


def new_network() -> int:
    """Move into one more, empty network namespace, loopback up; return a descriptor that keeps it alive."""
    _call("unshare", CLONE_NEWNET)
    loopback_up()
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def join(descriptor: int, kind: int) -> None:
    """Move into the namespace behind a descriptor; ``kind`` is CLONE_NEWUSER, CLONE_NEWPID or CLONE_NEWNET.

    A pid namespace is joined by the children made from then on, not by the caller. Raises NamespaceError.
    """
    if kind == CLONE_NEWUSER and os.path.samestat(os.fstat(descriptor), os.stat("/proc/self/ns/user")):
        return  # nobody may join the one that he is in; a root that went without a new one is
    _call("setns", descriptor, kind)


def launcher(command: list[str]) -> list[str]:
    """Return the argument list that runs a command inside a new namespace, for ``subprocess``."""
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), *command]


def popen(command: list[str], **options: Any) -> "subprocess.Popen[Any]":
    """Start a command inside a new namespace; ``options`` as for ``subprocess.Popen``."""
    return subprocess.Popen(launcher(command), **options)


def popen_joined(command: list[str], descriptors: Sequence[int], **options: Any) -> Program:
    """Start a command in existing namespaces, by descriptors of a user, a pid and a network namespace."""
    options["pass_fds"] = (*options.get("pass_fds", ()), *descriptors)
    return Program(launcher(["--join", ",".join(map(str, descriptors)), *command]), **options)


def refusal() -> str | None:
    """Return why this system refuses namespaces, or None where it allows them (tried, not guessed)."""
    if not sys.platform.startswith("linux"):
        return LINUX_ONLY
    try:
        done = subprocess.run(launcher(["true"]), capture_output=True, text=True, timeout=TRIED_S)
    except subprocess.TimeoutExpired:
        return f"a process in a new namespace has not ended within {TRIED_S:g} s"
    return None if done.returncode == 0 else (done.stderr.strip() or f"exit code {done.returncode}")


def diagnosis() -> tuple[str, str] | None:
    """Return what forbids namespaces to this user and the remedy, each in a sentence; None where they are allowed."""
    refused = refusal()
    return None if refused is None else cause_of(refused)


def cause_of(
    refused: str, otherwise: str = "use the captures in captures/, or a virtual machine"
) -> tuple[str, str]:
    """Return the cause of a refusal (as ``refusal`` words it) and the remedy, from the system's settings.

    ``otherwise`` is the remedy where no setting is the cause.
    """
    if not sys.platform.startswith("linux"):
        return LINUX_ONLY, "record on the loopback, or use the captures in captures/"
    for setting, forbidding, allowing, sentence in _FORBIDDEN_BY:
        if read_setting(f"/proc/sys/{setting}") == forbidding:
            return sentence, f"sudo sysctl -w {setting.replace('/', '.')}={allowing}"
    if read_setting("/proc/self/status", "Seccomp:") == "2":
        return (
            f"a container's seccomp filter forbids namespaces ({refused})",
            "run the kit outside of the container, or start it with --security-opt seccomp=unconfined",
        )
    return f"this system refuses namespaces ({refused})", otherwise


# A setting below /proc/sys, the value that forbids namespaces, one that allows them, and what is the case with the first
_FORBIDDEN_BY = [
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "0",
     "AppArmor keeps user namespaces from ordinary users (Ubuntu 23.10 and later)"),
    ("kernel/unprivileged_userns_clone", "0", "1",
     "this kernel keeps user namespaces from ordinary users (older Debian, hardened kernels)"),
    ("user/max_user_namespaces", "0", "10000",
     "user namespaces are switched off (their number is limited to 0)"),
    ("user/max_net_namespaces", "0", "10000",
     "network namespaces are switched off (their number is limited to 0)"),
]  # fmt: skip


def read_setting(path: str, line: str = "") -> str | None:
    """Return the first line of a file of /proc that begins with ``line``, without that, or None."""
    try:
        with open(path) as file:
            return next((one.removeprefix(line).strip() for one in file if one.startswith(line)), None)
    except OSError:
        return None


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def loopback_up() -> None:
    """Set the interface ``lo`` of the current network namespace up. Raises OSError."""
    import fcntl
    import socket
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def _call(name: str, *arguments: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise NamespaceError(code, f"{name}: {os.strerror(code)}")


# The program


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--join"]:
        return _run_joined(arguments[1], arguments[2:])
    parent = os.getppid()
    try:
        unshare()
    except NamespaceError as error:
        return _refused(error)
    die_with_parent()
    if os.getppid() != parent:  # the parent died before we asked
        return 1
    return _become(arguments)


def _run_joined(descriptors: str, command: list[str]) -> int:
    """Start the command as a child in the namespaces, represent it to our parent, and end as it ends."""
    try:
        kinds = (CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET)
        for text, kind in zip(descriptors.split(","), kinds, strict=True):
            join(int(text), kind)
            os.close(int(text))
    except NamespaceError as error:
        return _refused(error)
    # Blocked and then fetched one by one, so that the child gets each signal once: a Ctrl-C at the terminal
    # reaches it directly (same process group), one sent to us by kill(2) does not.
    forwarded = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
    fetched = {*forwarded, signal.SIGCHLD, KILL_COMMAND}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, fetched)
    alive, held_open = os.pipe()
    try:
        child = os.fork()
    except OSError as error:  # the first process of the pid namespace has ended, and the LAN with it
        closed = error.errno == errno.ENOMEM
        print("the LAN is closed" if closed else f"fork: {error.strerror}", file=sys.stderr)
        return EXIT_REFUSED
    if child == 0:
        os.close(held_open)
        die_with_parent()
        if select.select([alive], [], [], 0)[0]:  # end of file: our parent died before we asked
            return 1
        os.close(alive)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return _become(command)
    code = _forward_until_end(child, fetched)
    if code < 0:  # end by the same signal, so that our parent sees what happened
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.kill(os.getpid(), -code)
    return code


def _forward_until_end(child: int, fetched: set[Any]) -> int:
    """Pass signals on to the child until it ends; return its exit code, negative for a signal."""
    while True:
        arrived = signal.sigwaitinfo(fetched)
        if arrived.si_signo == KILL_COMMAND:
            os.kill(child, signal.SIGKILL)
        elif arrived.si_signo != signal.SIGCHLD:
            if arrived.si_code != SENT_BY_KERNEL:
                os.kill(child, arrived.si_signo)
        elif os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _become(command: list[str]) -> int:
    try:
        os.execvp(command[0], command)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        text = f"no program {command[0]!r} on this machine" if missing else f"{command[0]}: {error.strerror}"
        print(text, file=sys.stderr)
        return EXIT_NOT_FOUND


def _refused(error: NamespaceError) -> int:
    print(error.strerror or error.args[0], file=sys.stderr)
    return EXIT_REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
