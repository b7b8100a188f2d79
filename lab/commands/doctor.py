"""``python3 lab doctor``: print what works on this machine, and for each fault the fix. Changes nothing.

Standard library only, so that it works before the set-up: what needs a package runs in the Python that has it.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from lab.commands import command_line
from lab.harness.variant import REPORT_PORT
from lab.net import namespace
from lab.setup import first_use, system_packages
from lab.setup.paths import ROOT

TRY_S = 60


@dataclass(frozen=True)
class Finding:
    """``state`` is ok, fault (something does not work) or note (works, with less). ``fix`` is empty when ok."""

    state: str
    what: str
    detail: str
    fix: str = ""

    def __str__(self) -> str:
        fix = f"  ->  {self.fix}" if self.fix else ""
        return f"{self.state:<5}  {self.what:<13}  {self.detail}{fix}"


def main(argv: list[str] | None = None) -> int:
    """Print every finding; return 1 if something does not work."""
    command_line("doctor", "Check this machine for the lab.").parse_args(argv)
    states = []
    for finding in check_machine():
        print(finding, flush=True)
        states.append(finding.state)
    faults, notes = states.count("fault"), states.count("note")
    print(f"\nfaults: {faults}, notes: {notes}." + ("" if faults else " All is well."))
    return 1 if faults else 0


def check_machine() -> Iterator[Finding]:
    """Yield every finding, in the order in which things depend on each other."""
    parts = system_packages.python_parts()
    yield _python(parts)
    yield _tkinter(parts)
    yield _display(parts)
    yield _folder()
    yield _packages(parts)
    refused = namespace.refusal()
    yield _namespaces(refused)
    yield _recording(refused)
    if (ROOT / "lab" / "instructor").is_dir():
        yield _sandbox()
    yield _tshark()
    yield _port()


def _python(parts: dict[str, str]) -> Finding:
    version = sys.version.split()[0]
    if sys.version_info < (3, 10):
        return Finding("fault", "Python", version, "install Python 3.10 or later")
    if "venv" in parts and first_use.missing_packages():
        return Finding("fault", "Python", f"{version}, without venv, which the set-up needs", parts["venv"])
    return Finding("ok", "Python", version)


def _tkinter(parts: dict[str, str]) -> Finding:
    if "tkinter" not in parts:
        return Finding("ok", "tkinter", "the chat windows can be drawn")
    instead = "missing: no chat windows, the client works with --terminal"
    return Finding("note", "tkinter", instead, parts["tkinter"])


def _display(parts: dict[str, str]) -> Finding:
    fix = "python3 lab/client.py --terminal, or log in at a screen"
    named = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform not in ("win32", "darwin") and not named:
        return Finding("note", "display", "none here: no windows", fix)
    if "tkinter" not in parts and (said := _try("import tkinter; tkinter.Tk().destroy()")):
        return Finding("note", "display", f"{named or 'the desktop'} does not answer: {said}", fix)
    return Finding("ok", "display", named or "the desktop's")


def _try(code: str, python: str = sys.executable) -> str:
    """Run a short program; return the last line that it prints, or of its error; nothing if all is well."""
    try:
        asked = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=TRY_S)
    except subprocess.TimeoutExpired:
        return f"no answer in {TRY_S} s"
    said = asked.stdout.strip()
    if asked.returncode and not said:
        said = asked.stderr.strip() or f"exit code {asked.returncode}"
    return said.rpartition("\n")[2]


def _folder() -> Finding:
    if os.access(ROOT, os.W_OK) and os.access(ROOT / "captures", os.W_OK):
        return Finding("ok", "kit folder", "can be written")
    fix = "put the kit into a folder of your own"
    return Finding("fault", "kit folder", f"{ROOT} cannot be written", fix)


def _packages(parts: dict[str, str]) -> Finding:
    missing = first_use.missing_packages()
    if not missing:
        return Finding("ok", "packages", "all of requirements.txt")
    if first_use.python_with_packages():
        return Finding("ok", "packages", "all of requirements.txt, in .venv")
    if why := first_use.obstacle():
        what, _, fix = why.rpartition(": ")
        return Finding("fault", "packages", what, fix)
    some = ", ".join(missing[:3]) + (" ..." if len(missing) > 3 else "")
    fix = "python3 lab demo sets them up (once, online)"
    return Finding("fault", "packages", f"{len(missing)} missing: {some}", fix)


def _namespaces(refused: str | None) -> Finding:
    if refused is None:
        return Finding("ok", "namespaces", "this user can make a network of its own")
    return Finding("note", "namespaces", *namespace.cause_of(refused))


def _recording(namespaces_refused: str | None) -> Finding:
    python = first_use.python_with_packages()
    if python is None:
        before = "cannot be tried before the packages are there"
        return Finding("note", "recording", before, "python3 lab demo")
    refused = _try("from lab.harness.tap import may_record; print(may_record() or '')", python)
    if not refused:
        return Finding("ok", "recording", "this user may record on the machine's loopback")
    if namespaces_refused is None:
        return Finding("ok", "recording", "in a network of the kit's own (not on the machine's loopback)")
    from lab.harness.tap import how_to_record

    return Finding("fault", "recording", refused, how_to_record())


def _sandbox() -> Finding:
    """Name the sandbox that ``lab grade`` would use. Only the instructor's copy has it, so it runs in a process apart."""
    found = _try("from lab.instructor import sandbox; print(sandbox.report())")
    if found.startswith("in a sandbox of namespaces"):
        return Finding("ok", "grading", found)
    if found.startswith("in a sandbox"):
        return Finding("note", "grading", found, "the line about namespaces has the fix for the stronger one")
    return Finding("note", "grading", f"no sandbox: {found}", "grade on Linux, in a virtual machine")


def _tshark() -> Finding:
    if path := shutil.which("tshark"):
        return Finding("ok", "tshark", path)
    names = ("tshark", "wireshark-cli", "wireshark", "wireshark-cli", "wireshark.org")  # Debian, Fedora, ...
    fix = system_packages.install_command(*names)
    return Finding("note", "tshark", "missing: comparisons with Wireshark are left out", fix)


def _port() -> Finding:
    try:
        socket.create_server(("127.0.0.1", REPORT_PORT)).close()
    except OSError as error:
        fix = "end the other server, or use --port"
        return Finding("note", f"port {REPORT_PORT}", f"taken: {error.strerror}", fix)
    return Finding("ok", f"port {REPORT_PORT}", "free")
