"""Find and install what pip cannot: programs, and parts of Python that some systems package separately."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from lab.setup.install import SetupError, run_quietly, say

SYSTEM_PACKAGES = {"tshark": "tshark", "Xvfb": "xvfb", "openbox": "openbox"}  # program: Debian's package


def python_parts() -> dict[str, str]:
    """Return the parts of Python that this one lacks: name and the command that installs it."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    website = "python.org: its Python has every part"
    missing = {}
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        missing["venv"] = install_command(f"python{version}-venv", "python3", "python", "python", website)
    if not (importlib.util.find_spec("tkinter") and importlib.util.find_spec("_tkinter")):
        missing["tkinter"] = install_command("python3-tk", "python3-tkinter", "tk", "python-tk", website)
    return missing


def install_command(debian: str, fedora: str, arch: str, homebrew: str, website: str) -> str:
    """Return the line that installs a program on this system, by its package's name there."""
    for program, line in (
        ("apt-get", f"sudo apt install {debian}"),
        ("dnf", f"sudo dnf install {fedora}"),
        ("pacman", f"sudo pacman -S {arch}"),
        ("brew", f"brew install {homebrew}"),
    ):
        if shutil.which(program):
            return line
    return f"install it from {website}"


def is_root_on_debian() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_system_packages() -> None:
    """Install with apt, as root. A failure is reported and does not end the set-up."""
    wanted = [package for program, package in SYSTEM_PACKAGES.items() if not shutil.which(program)]
    if shutil.which("python3") and Path(sys.executable).resolve().parent == Path("/usr/bin"):
        wanted += [fix.split()[-1] for fix in python_parts().values()]
    if not wanted:
        return
    say(f"  you are root: installing {', '.join(wanted)} with apt (--no-system refuses this) ...")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        run_quietly(["apt-get", "update", "-qq"], "apt-get update", environment)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted]
        run_quietly(command, "apt-get install", environment)
    except SetupError as error:
        say(f"  {error}; continuing without them")
