"""Mallory forges no frame but uses the chat as it is: names and lines that look like somebody else's.

On the report wire a text is all there is, so a user named ``*** John Connected ***`` or a line with ``<John>
I quit`` in it is believed. The json wire sends who said something apart from what was said, and is strict
about names (``lab.chat.names``). Its rules know the same letters in another form (NFKC), but not those of
another alphabet that merely look the same.
"""

import json
from pathlib import Path

from lab.chat import events
from lab.chat.json_wire import JsonWire
from lab.chat.report_wire import ReportWire
from lab.harness.attack_lan import recorded_attack
from lab.harness.bare_socket import BareSocket
from lab.harness.lesson_lan import chat_server, join_chat
from lab.harness.scenarios import Truth, scenario

SAID = "I quit"
TRIES = {  # a name, and what is said under it
    "a line of the server's": ("*** John Connected ***", SAID),
    "a name that is taken": ("Brandon", SAID),
    "the same letters in another form": ("\uff22\uff52\uff41\uff4e\uff44\uff4f\uff4e", SAID),  # full width
    "another alphabet": ("Br\u0430ndon", SAID),  # with a Cyrillic a
    "a line in a line": ("Mallory", f"hi\n<John> {SAID}"),
}


@scenario(notebook="10")
def spoof(path: Path) -> Truth:
    """False names and lines: the report wire believes them, the json wire refuses or shows all but one; at PC 1."""
    seen: Truth = {}
    with recorded_attack(path, "PC1", "server", "switch") as (lan, _, truth):
        for name, try_it in {"report": _on_the_report_wire, "json": _on_the_json_wire}.items():
            with chat_server(lan, options=["--wire", name]) as log, BareSocket(lan["PC1"]) as brandon:
                encode = JsonWire().encode if name == "json" else ReportWire.encode
                join_chat(brandon, "Brandon", lan, log, encode)
                seen[name] = {}
                for which, (user, text) in TRIES.items():
                    with BareSocket(lan["Mallory"]) as mallory:
                        mallory.connect(lan["server"].address, no_delay=True)
                        mallory.say(encode(events.Join(user)))
                        # Where what follows at once would be taken for a part of the name.
                        if name == "report":
                            log.wait_for(f"*** {user} Connected (IP: {lan['Mallory'].address} ")
                        seen[name][which] = try_it(mallory, brandon, user, text)
                lan.settle()
    return truth | {"tries": TRIES, "seen": seen}


def _on_the_report_wire(mallory: BareSocket, brandon: BareSocket, user: str, text: str) -> str:
    """Say it; return what Brandon receives of it."""
    mallory.say(text.encode())
    heard = brandon.hear(until=SAID.encode())
    start = heard.index(f"<{user}>".encode())  # a user list may stand on either side
    return heard[start : heard.index(SAID.encode(), start)].decode() + SAID


def _on_the_json_wire(mallory: BareSocket, brandon: BareSocket, user: str, text: str) -> str:
    """Say it; return the line that Brandon receives, or the one by which Mallory is refused."""
    is_meant = (b'"error"', f'{SAID}"'.encode())
    answer = mallory.hear(until=b"\n")
    if is_meant[0] not in answer:
        mallory.say(json.dumps({"event": "say", "text": text}).encode() + b"\n")
        while not any(one in answer for one in is_meant):
            answer = mallory.hear(until=b"\n")
    if is_meant[0] not in answer:
        answer = brandon.hear(until=is_meant[1])
    return next(line for line in answer.decode().splitlines() if '"error"' in line or f'{SAID}"' in line)
