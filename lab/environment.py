"""Setting the kit up on first use: a ``.venv`` beside ``lab/`` with the packages of requirements.txt, a restart inside.

Standard library only, since it runs before anything is installed. It keeps out of the way where the Python in use has
all the packages already. A set-up that was cut off is done again, because the mark that it is complete comes last. As
root on a Debian-like system it also installs, with apt, what the tests want to have (tshark, Xvfb) and Python's own
split-off parts; ``--no-system`` refuses that. Anywhere else it asks nobody for a password: what is missing stays
switched off, and ``python3 lab doctor`` says how to get it.

Everything it says goes to standard error, so that a program's own output stays clean.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lab.room.only_one import only_one

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements.txt"
VENV = ROOT / ".venv"
RESTARTED = "LAB_KIT_RESTARTED"
READY = VENV / "ready"  # holds a fingerprint of what was installed; written when all of it was
SYSTEM_PACKAGES = {"tshark": "tshark", "Xvfb": "xvfb"}  # program: Debian's package


class SetupError(Exception):
    """The set-up cannot go on; the text says why and the one thing to do."""


def ensure(system: bool = True) -> None:
    """Return where every package is at hand; otherwise set up ``.venv`` and start this same command again inside it.

    Raises SetupError.
    """
    restarted = os.environ.pop(RESTARTED, None)  # popped: it is not meant for programs that we start
    if not (missing := missing_packages()):
        return
    if restarted or _inside_venv():
        READY.unlink(missing_ok=True)
        raise SetupError(f"{VENV} lacks {', '.join(missing)}: remove that folder and start again")
    python = _venv_python()
    if not is_ready():
        if not os.access(ROOT, os.W_OK):
            raise SetupError(f"cannot write into {ROOT}: put the kit into a folder of your own")
        with only_one(ROOT, wait=True):
            if not is_ready():  # another one may have done it while we waited
                _set_up(python, system)
    restart(python)


def restart(python: Path) -> None:
    """Run this same command with another Python; does not return."""
    command = [str(python), *sys.orig_argv[1:]]
    os.environ[RESTARTED] = "1"  # once is enough: whatever is wrong then, another restart will not mend it
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(python, command)
    sys.exit(subprocess.call(command))  # Windows has no exec that keeps the terminal


def requirements() -> dict[str, str]:
    """The packages that requirements.txt asks for on this system, each with its range: {"scapy": ">=2.5,<3", ...}."""
    wanted = {}
    for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines():
        requirement, _, marker = line.partition("#")[0].partition(";")
        if requirement.strip() and (marker.strip() in ("", f'sys_platform == "{sys.platform}"')):
            name, versions = re.fullmatch(r"([\w.-]+)(.*)", requirement.strip()).groups()
            wanted[name] = versions
    return wanted


def missing_packages() -> list[str]:
    """Those of them that the Python in use does not have, or not in that range."""
    missing = []
    for name, versions in requirements().items():
        try:
            if not _is_within(importlib.metadata.version(name), versions):
                missing.append(f"{name}{versions}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    return missing


def _is_within(version: str | None, versions: str) -> bool:
    """Whether a version lies in a range like ``>=2.5,<3``. (pip knows more forms; requirements.txt uses these two.)

    What is left of a package that was half removed has no version, and is in no range.
    """

    def numbers(text: str) -> list[int]:
        found = re.match(r"v?(\d+(?:\.\d+)*)", text)
        return [int(number) for number in re.sub(r"(\.0)+$", "", found[1]).split(".")] if found else []

    found = numbers(version or "")
    return bool(found) and all(
        found >= numbers(limit) if sign == ">=" else found < numbers(limit)
        for sign, limit in re.findall(r"(>=|<)([\d.]+)", versions)
    )


def fingerprint() -> str:
    """What the set-up depends on; where it has changed, the set-up is done again."""
    return hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()


def python_parts() -> dict[str, str]:
    """The parts of Python that some systems split off and this one lacks: name and the one command that mends it."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    website = "python.org: its Python has every part"
    missing = {}
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        missing["venv"] = install_command(f"python{version}-venv", "python3", "python", "python", website)
    if not (importlib.util.find_spec("tkinter") and importlib.util.find_spec("_tkinter")):
        missing["tkinter"] = install_command("python3-tk", "python3-tkinter", "tk", "python-tk", website)
    return missing


def install_command(debian: str, fedora: str, arch: str, homebrew: str, website: str) -> str:
    """The one line that brings a program to this system, by its package's name there."""
    for program, line in (
        ("apt-get", f"sudo apt install {debian}"),
        ("dnf", f"sudo dnf install {fedora}"),
        ("pacman", f"sudo pacman -S {arch}"),
        ("brew", f"brew install {homebrew}"),
    ):
        if shutil.which(program):
            return line
    return f"install it from {website}"


def is_ready() -> bool:
    """Whether ``.venv`` is complete and up to date."""
    made = _venv_python().exists() and (VENV / "pyvenv.cfg").exists() and READY.exists()
    return made and READY.read_text() == fingerprint()


def python_with_packages() -> str | None:
    """The Python that has every package: the one in use, that of ``.venv``, or None."""
    if not missing_packages():
        return sys.executable
    return str(_venv_python()) if is_ready() else None


def _inside_venv() -> bool:
    return Path(sys.prefix).resolve() == VENV.resolve()


def _venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _set_up(python: Path, system: bool) -> None:
    _say(f"First use: setting up {VENV.name} (a few minutes, about 600 MB; only this once).")
    if system and _is_root_on_debian():
        _install_system_packages()
    if fix := python_parts().get("venv"):
        raise SetupError(f"this Python has no venv, which the set-up needs: {fix}")
    try:
        importlib.invalidate_caches()
        READY.unlink(missing_ok=True)
        _say("  making the environment ...")
        _run([sys.executable, "-m", "venv", "--clear", str(VENV)], "making the environment")
        _pip_install(python)
        READY.write_text(fingerprint())
    except OSError as error:
        raise SetupError(f"cannot write {VENV}: {error.strerror}; put the kit into a folder of your own") from error
    _say("  done.\n")


def _pip_install(python: Path) -> None:
    """pip with its thousand lines folded into one that counts, and shown whole where it fails."""
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["--requirement", str(REQUIREMENTS)]
    pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    lines: list[str] = []
    seen = 0
    live = sys.stderr.isatty()
    try:
        for line in pip.stdout:
            lines.append(line)
            words = line.split()
            if words[:1] == ["Collecting"]:
                seen += 1
                if live:
                    print(f"\r\x1b[K  fetching package {seen}: {words[1][:50]}", end="", file=sys.stderr, flush=True)
                elif seen % 20 == 1:
                    _say(f"  fetching package {seen}: {words[1]}")
            elif words[:2] == ["Installing", "collected"]:
                _say(("\r\x1b[K" if live else "") + f"  installing {seen} packages ...")
        pip.wait()
    except BaseException:
        pip.terminate()
        pip.wait()
        raise
    if pip.returncode:
        for line in lines[-8:]:
            _say("  | " + line.rstrip())
        raise SetupError("pip could not install the packages (see above): is this machine online? Then try again")


def _is_root_on_debian() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install_system_packages() -> None:
    """As root on a Debian-like system: what pip cannot bring. A failure is told and is not the end."""
    wanted = [package for program, package in SYSTEM_PACKAGES.items() if not shutil.which(program)]
    if shutil.which("python3") and Path(sys.executable).resolve().parent == Path("/usr/bin"):
        wanted += [fix.split()[-1] for fix in python_parts().values()]
    if not wanted:
        return
    _say(f"  you are root: installing {', '.join(wanted)} with apt (--no-system refuses this) ...")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        _run(["apt-get", "update", "-qq"], "apt-get update", environment)
        _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted], "apt-get install", environment)
    except SetupError as error:
        _say(f"  {error}; going on without them")


def _run(command: list[str], what: str, environment: dict | None = None) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    if done.returncode:
        last = done.stdout.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise SetupError(f"{what} failed: {last[0]}")
