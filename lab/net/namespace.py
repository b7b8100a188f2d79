"""A network of one's own, made by an ordinary user: Linux user, network and process namespaces.

Linux lets any user make a *user namespace* (in which that user is root over what it owns) and, inside it, a
*network namespace*: an empty network stack with nothing but its own loopback. A process in there may record
every packet without sudo, and can neither see nor touch the machine's real network. A *process (pid)
namespace* beside them ties lives together: when its first process ends, the kernel kills all the others. See
``user_namespaces(7)``, ``network_namespaces(7)`` and ``pid_namespaces(7)``.

As a program, this file makes or joins namespaces and then becomes COMMAND (``launcher`` and ``join_launcher``
give the command lines):

    namespace.py COMMAND ...                 a new user and network namespace, loopback up
    namespace.py --join 5,6,7 COMMAND ...    the user, pid and network namespaces behind these descriptors

A namespace lives as long as a process in it or a descriptor on it, so nothing has to be cleared away
afterwards. COMMAND is killed with the process that started it (``PR_SET_PDEATHSIG``). Standard library only;
Linux only. Some systems forbid it (AppArmor on recent Ubuntu, seccomp in containers): ``diagnosis`` names the
cause and the cure.
"""

import ctypes
import errno
import os
import select
import signal
import subprocess
import sys

CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1

EXIT_REFUSED = 125  # what the launcher ends with when the system refuses the namespace
EXIT_NOT_FOUND = 127  # ... and when COMMAND cannot be started, as a shell does
KILL_COMMAND = getattr(
    signal, "SIGRTMIN", 0
)  # asks the stand-in of --join to kill COMMAND (and then to end itself)
SENT_BY_KERNEL = 0x80  # si_code of a signal that a terminal's key made, siginfo: SI_KERNEL


class NamespaceError(OSError):
    """The system refuses a user or network namespace; the text names the step that failed."""


def enter(own_processes: bool = False) -> None:
    """Move the calling process (single-threaded) into a new user and network namespace, loopback up.

    ``own_processes`` adds a pid namespace: the *next child* is its first process, and takes all the others
    with it. Root goes without a user namespace where those are switched off and it needs none. Raises
    NamespaceError where the system refuses.
    """
    if not sys.platform.startswith("linux"):
        raise NamespaceError("network namespaces exist on Linux only")
    uid, gid = os.geteuid(), os.getegid()
    wanted = CLONE_NEWNET | (CLONE_NEWPID if own_processes else 0)
    try:
        _call("unshare", CLONE_NEWUSER | wanted)
    except NamespaceError:
        if uid != 0:
            raise
        _call("unshare", wanted)
        new_user = False
    else:
        new_user = True
    try:
        if new_user:  # without a mapping of ids the process owns nothing; setgroups must be given up first
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"0 {uid} 1")
            _write("/proc/self/gid_map", f"0 {gid} 1")
        loopback_up()
    except OSError as error:
        raise NamespaceError(f"the new namespace cannot be set up: {error}") from error


def new_network() -> int:
    """Move into one more, empty network namespace, loopback up; gives a descriptor that keeps it alive."""
    _call("unshare", CLONE_NEWNET)
    loopback_up()
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def join(descriptor: int, kind: int) -> None:
    """Move into the namespace behind a descriptor; ``kind`` is CLONE_NEWUSER, CLONE_NEWPID or CLONE_NEWNET.

    A pid namespace is joined by the children made from then on, not by the caller. Raises NamespaceError.
    """
    _call("setns", descriptor, kind)


def launcher(command: list[str]) -> list[str]:
    """The argument list that runs COMMAND inside a new namespace, for ``subprocess``."""
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), *command]


def join_launcher(command: list[str], user: int | None, pid: int, network: int) -> list[str]:
    """The argument list that runs COMMAND inside existing namespaces (descriptors, which it must inherit)."""
    descriptors = f"{'-' if user is None else user},{pid},{network}"
    return launcher(["--join", descriptors, *command])


def refusal() -> str | None:
    """Why this system refuses namespaces, or None where it allows them (tried, not guessed)."""
    if not sys.platform.startswith("linux"):
        return "network namespaces exist on Linux only"
    done = subprocess.run(launcher(["true"]), capture_output=True, text=True, timeout=30)
    return None if done.returncode == 0 else (done.stderr.strip() or f"exit code {done.returncode}")


def diagnosis() -> tuple[str, str] | None:
    """What forbids namespaces to this user, and the one way out, each in a sentence; None where they are allowed."""
    refused = refusal()
    return None if refused is None else cause_of(refused)


def cause_of(
    refused: str, otherwise: str = "use the captures in captures/, or a virtual machine"
) -> tuple[str, str]:
    """What is behind a refusal (as ``refusal`` words it), and the one way out: read off the system's settings.

    ``otherwise`` is the way out where no setting is to blame.
    """
    if not sys.platform.startswith("linux"):
        return (
            "network namespaces exist on Linux only",
            "record on the loopback, or use the captures in captures/",
        )
    for setting, forbidding, sentence, fix in _FORBIDDEN_BY:
        if _read(setting) == forbidding:
            return sentence, fix
    if _read("/proc/self/status", "Seccomp:") == "2":
        return (
            f"a container's seccomp filter forbids namespaces ({refused})",
            "run the kit outside of the container, or start it with --security-opt seccomp=unconfined",
        )
    return f"this system refuses namespaces ({refused})", otherwise


_FORBIDDEN_BY = [
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor keeps user namespaces from ordinary users (Ubuntu 23.10 and later)",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "this kernel keeps user namespaces from ordinary users (older Debian, hardened kernels)",
        "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    (
        "/proc/sys/user/max_user_namespaces",
        "0",
        "user namespaces are switched off (their number is limited to 0)",
        "sudo sysctl -w user.max_user_namespaces=10000",
    ),
    (
        "/proc/sys/user/max_net_namespaces",
        "0",
        "network namespaces are switched off (their number is limited to 0)",
        "sudo sysctl -w user.max_net_namespaces=10000",
    ),
]


def _read(path: str, line: str = "") -> str | None:
    """What stands in a file of /proc, or behind the name ``line`` in it; None where there is no such thing."""
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


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


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
        enter()
    except NamespaceError as error:
        return _refused(error)
    die_with_parent()
    if os.getppid() != parent:  # the parent died before we asked
        return 1
    return _become(arguments)


def _run_joined(descriptors: str, command: list[str]) -> int:
    """Start COMMAND as a child in the namespaces, stand in for it towards our parent, end as it ends."""
    try:
        kinds = (CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET)
        for text, kind in zip(descriptors.split(","), kinds, strict=True):
            if text != "-":
                join(int(text), kind)
                os.close(int(text))
    except NamespaceError as error:
        return _refused(error)
    # Blocked and then fetched one by one, so that the child gets each signal once: a Ctrl-C at the terminal
    # reaches it by itself (same process group), one sent to us by kill(2) does not.
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
    while True:
        arrived = signal.sigwaitinfo(fetched)
        if arrived.si_signo == KILL_COMMAND:
            os.kill(child, signal.SIGKILL)
        elif arrived.si_signo != signal.SIGCHLD:
            if arrived.si_code != SENT_BY_KERNEL:
                os.kill(child, arrived.si_signo)
        elif os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0:  # end by the same signal, so that our parent sees what happened
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.kill(os.getpid(), -code)
    return code


def _become(command: list[str]) -> int:
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        print(f"no program {command[0]!r} on this machine", file=sys.stderr)
        return EXIT_NOT_FOUND
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return EXIT_NOT_FOUND


def _refused(error: NamespaceError) -> int:
    print(error.strerror or error.args[0], file=sys.stderr)
    return EXIT_REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
