"""Set the kit up on first use: make ``.venv`` beside ``lab/``, and start the command again inside it.

Nothing happens where the Python in use has all packages already. A complete ``.venv`` is used with its own Python,
whichever Python started the command. One that is incomplete or outdated is repaired in place; nothing is ever cleared.
What the kit did not make is left alone: a folder that is not an environment, or the target of a link.

The file ``.venv/ready`` holds UNFINISHED from the start, and the fingerprint of requirements.txt and the lock once all
is installed; so an interrupted set-up continues next time. As root on a Debian-like system it also installs, with apt,
what the tests use and missing parts of Python; ``--no-system`` prevents that. Standard library only.
"""

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from lab.setup.folder_lock import Locked, folder_lock
from lab.setup.install import OutOfReach, SetupError, install_locked, install_ranges, run_quietly, say, uv
from lab.setup.paths import ROOT
from lab.setup.system_packages import install_system_packages, is_root_on_debian, python_parts

REQUIREMENTS = ROOT / "requirements.txt"
LOCK = Path(__file__).with_name("requirements.lock")
VENV = ROOT / ".venv"
RESTARTED = "LAB_KIT_RESTARTED"
READY = VENV / "ready"
UNFINISHED = "unfinished"
TRY_S = 60
MOVE_IT = "put the kit into a folder of your own"


def ensure(system: bool = True) -> None:
    """Return if every package is available; otherwise set ``.venv`` up and restart this command inside. Raise SetupError."""
    restarted = os.environ.pop(RESTARTED, "")  # removed: programs that we start must not inherit it
    if not (missing := missing_packages()):
        return
    if restarted == "mended":
        raise SetupError(f"{VENV} still lacks {', '.join(missing)}: rename that folder and start again")
    inside = Path(sys.prefix).resolve() == VENV.resolve()
    mended = bool(restarted) or inside or not is_ready()
    if mended:
        _mend(system)
    command = [str(_venv_python()), *sys.orig_argv[1:]]
    os.environ[RESTARTED] = "mended" if mended else "as it was"  # it is mended only once
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(command[0], command)
    sys.exit(subprocess.call(command))  # Windows has no exec that keeps the terminal


def requirements() -> dict[str, str]:
    """Return the packages of requirements.txt for this system with their ranges: {"scapy": ">=2.5,<3", ...}."""
    wanted = {}
    for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines():
        requirement, _, marker = line.partition("#")[0].partition(";")
        if requirement.strip() and (marker.strip() in ("", f'sys_platform == "{sys.platform}"')):
            name, versions = re.split(r"(?![\w.-])", requirement.strip(), maxsplit=1)
            wanted[name] = versions
    return wanted


def missing_packages() -> list[str]:
    """Return those that the Python in use lacks, or does not have in that range."""
    missing = []
    for name, versions in requirements().items():
        try:
            if not is_within(importlib.metadata.version(name), versions):
                missing.append(f"{name}{versions}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    return missing


def is_within(version: str | None, versions: str) -> bool:
    """Return whether a version lies in a range like ``>=2.5,<3``; a half removed package has None, in no range."""

    def numbers(text: str) -> list[int]:
        found = re.match(r"v?(\d+(?:\.\d+)*)", text)
        return [int(number) for number in re.sub(r"(\.0)+$", "", found[1]).split(".")] if found else []

    found = numbers(version or "")
    return bool(found) and all(
        found >= numbers(limit) if sign == ">=" else found < numbers(limit)
        for sign, limit in re.findall(r"(>=|<)([\d.]+)", versions)
    )


def fingerprint() -> str:
    """Return a digest of what the set-up depends on: if it changes, the set-up is done again."""
    text = b"".join(path.read_bytes() for path in (REQUIREMENTS, LOCK) if path.exists())
    return hashlib.sha256(text.replace(b"\r\n", b"\n")).hexdigest()


def is_ready() -> bool:
    """Return whether ``.venv`` is complete and up to date, and its Python runs."""
    return _mark() == fingerprint() and _runs(_venv_python())


def obstacle() -> str | None:
    """Return why nothing may be set up in ``.venv``, and what to do; None if it may."""
    if not os.path.lexists(VENV):
        return None
    if not VENV.is_dir():
        return f"{VENV} is not a folder: rename it, and start again"
    foreign = any(VENV.iterdir()) and not READY.exists()
    if VENV.is_symlink() and (foreign or _mark() and not _runs(_venv_python())):
        return f"{VENV} is a link to {VENV.resolve()}, which lacks packages: remove the link, and start again"
    if foreign and not (VENV / "pyvenv.cfg").exists():
        return f"{VENV} is not a Python environment (it has no pyvenv.cfg): rename it, and start again"
    return None


def python_with_packages() -> str | None:
    """Return the Python that has every package: the one in use, that of ``.venv``, or None."""
    if not missing_packages():
        return sys.executable
    return str(_venv_python()) if is_ready() or not _mark() and _is_complete() else None


def _mark() -> str:
    try:
        return READY.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _runs(python: Path) -> bool:
    """Return whether a Python exists, starts, and is recent enough."""
    return _answer(python, "-I", "-S", "-c", "import sys; print(sys.version_info >= (3, 10))") == "True"


def _is_complete() -> bool:
    """Return whether the Python of ``.venv`` has all packages in the ranges of requirements.txt."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from lab.setup.first_use import missing_packages"
    is_made = (VENV / "pyvenv.cfg").exists()
    return is_made and _answer(_venv_python(), "-c", f"{code}; print(missing_packages())") == "[]"


def _answer(python: Path, *arguments: str) -> str | None:
    """Return what a Python prints, or None if it cannot be run or fails."""
    command = [str(python), *arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TRY_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.decode(errors="replace").strip()


def _venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _mend(system: bool) -> None:
    """Make ``.venv`` complete, or find that it is. Raise SetupError."""
    mark, may_write = _mark(), os.access(ROOT, os.W_OK)
    was_made = not mark or mark != UNFINISHED and not may_write  # by hand, or the kit is read-only
    if was_made and _is_complete():
        return
    if not may_write:
        raise SetupError(f"cannot write into {ROOT}: {MOVE_IT}")
    try:
        with ExitStack() as held:
            try:
                lock = held.enter_context(folder_lock(ROOT))
            except Locked:
                say("Another process is setting the kit up: waiting for it ...")
                lock = held.enter_context(folder_lock(ROOT, wait=True))
            if is_ready() and _is_complete():  # another process may have done it while this one waited
                return
            if why := obstacle():
                raise SetupError(why)
            os.set_inheritable(lock, True)
            _set_up(_venv_python(), system)
    except OSError as error:
        raise SetupError(f"cannot write {VENV}: {error.strerror}; {MOVE_IT}") from error


def _set_up(python: Path, system: bool) -> None:
    before = _mark()
    if before in ("", UNFINISHED):
        say("First use: setting up .venv (about 600 MB; a minute with uv, a few with pip; only this once).")
    else:
        say("Mending .venv: it is outdated or incomplete.")
    if system and is_root_on_debian():
        install_system_packages()
    if not uv() and not _has_pip(python) and (fix := python_parts().get("venv")):
        raise SetupError(f"this Python has no venv, which the set-up needs: {fix}")
    try:
        VENV.mkdir(exist_ok=True)
        READY.write_text(UNFINISHED, encoding="utf-8")
        _make(python, interrupted=before == UNFINISHED)
        if not (LOCK.exists() and install_locked(python, LOCK) and _is_complete()):
            say("  the lock does not cover this system: installing any version within requirements.txt")
            install_ranges(python, REQUIREMENTS)
        READY.write_text(fingerprint(), encoding="utf-8")
    except OutOfReach as error:
        if before in ("", UNFINISHED) or not _is_complete():
            raise
        READY.write_text(before, encoding="utf-8")
        say(f"  {error}. Continuing with the packages that are there.\n")
        return
    say("  done.\n")


def _make(python: Path, interrupted: bool) -> None:
    """Make the environment if its Python does not run, and install pip in it if there is no uv."""
    if not _runs(python):
        if (VENV / "pyvenv.cfg").exists():
            say(f"  its Python no longer runs; from now on it uses {sys.executable}")
        for link in python.parent.glob("python*"):
            if link.is_symlink():  # venv keeps existing links, even to a Python that is gone
                link.unlink()
        command = [sys.executable, "-m", "venv", "--without-pip", str(VENV)]
        run_quietly(command, "making the environment", close_fds=False)
    if interrupted:  # remove what would count as installed: pip and uv write INSTALLER last
        for pattern in ("lib/python*/site-packages/*.dist-info", "Lib/site-packages/*.dist-info"):
            for metadata in VENV.glob(pattern):
                if not (metadata / "INSTALLER").exists():
                    shutil.rmtree(metadata)
    if not uv() and not _has_pip(python):
        say("  installing pip ...")
        run_quietly([str(python), "-m", "ensurepip", "--default-pip"], "installing pip", close_fds=False)


def _has_pip(python: Path) -> bool:
    return _answer(python, "-c", "from importlib.metadata import version; version('pip')") is not None
