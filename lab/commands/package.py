"""``python3 lab package``: the chat client as one file to hand out, as the report did.

``chat-client.pyz`` is a zip file that Python runs (PEP 441): it needs Python 3.10 or later and nothing else. If
PyInstaller is installed, a program that needs no Python is made as well, for this kind of system only.
"""

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipapp
from pathlib import Path

from lab.commands import command_line, refuse

LAB = Path(__file__).resolve().parents[1]
NAME = "chat-client"
MAIN = """import sys

if sys.version_info < (3, 10):
    sys.exit("The chat client needs Python 3.10 or later; this is Python " + sys.version.split()[0] + ".")
from lab.client import main

sys.exit(main())
"""


def copy_client(folder: Path) -> None:
    """Copy what the client consists of, and nothing else of the kit."""
    (folder / "lab" / "setup").mkdir(parents=True)
    for name in ("__init__.py", "client.py", "setup/__init__.py", "setup/bootstrap.py"):
        shutil.copy(LAB / name, folder / "lab" / name)
    shutil.copytree(LAB / "chat", folder / "lab" / "chat", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "__main__.py").write_text(MAIN, encoding="utf-8")


def make_program(folder: Path, out: Path) -> Path:
    """Make one file with PyInstaller. Raise OSError with the last line that it prints."""
    with tempfile.TemporaryDirectory() as work:
        command = [sys.executable, "-m", "PyInstaller", "--onefile", "--noconfirm", "--log-level", "ERROR"]
        command += ["--name", NAME, "--distpath", str(out), "--workpath", work, "--specpath", work]
        command += ["--paths", str(folder), "--collect-submodules", "lab.chat", str(folder / "__main__.py")]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        why = done.stderr.strip() or f"exit code {done.returncode}"
        raise OSError(f"PyInstaller failed: {why.splitlines()[-1]}")
    return out / (f"{NAME}.exe" if sys.platform == "win32" else NAME)


def how_to_get_it(out: Path) -> list[str]:
    """Return the commands for this Python: a system's own refuses packages outside an environment (PEP 668)."""
    commands, python = [], sys.executable
    if sys.prefix == sys.base_prefix:
        environment = out / "environment"
        commands = [f"{python} -m venv {environment}"]
        python = str(environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    return [*commands, f"{python} -m pip install pyinstaller", f"{python} {LAB} package --out {out}"]


def main(argv: list[str] | None = None) -> int:
    parser = command_line("package", "Make the chat client one file to hand out.")
    add = parser.add_argument
    add("--out", type=Path, default=Path("dist"), metavar="DIR", help="default: %(default)s")
    add("--pyz-only", action="store_true", help="no program, even where PyInstaller is installed")
    options = parser.parse_args(argv)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            copy_client(folder)
            archive = options.out / f"{NAME}.pyz"
            zipapp.create_archive(folder, archive, interpreter="/usr/bin/env python3", compressed=True)
            print(f"{archive}: runs with any Python 3.10 or later")
            if options.pyz_only:
                return 0
            if importlib.util.find_spec("PyInstaller") is None:
                print("No program that runs without Python: PyInstaller is not installed. ", end="")
                print("Get it, and then the program, with:", *how_to_get_it(options.out), sep="\n  ")
                return 0
            print(f"{make_program(folder, options.out)}: runs on {sys.platform} without Python")
    except OSError as error:
        return refuse("package", error)
    return 0
