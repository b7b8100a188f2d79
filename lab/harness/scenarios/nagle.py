"""Short lines to a reader far away: while one is unacknowledged, Nagle's algorithm keeps the next ones back."""

from pathlib import Path

from lab.chat import events
from lab.chat.report_wire import ReportWire
from lab.harness.bare_socket import BareSocket
from lab.harness.lesson_lan import chat_server, join_chat, leave_chat, lesson_lan
from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.glued import QUICK

FAR_S = 0.2  # one way: all lines are said before the first is acknowledged


@scenario(notebook="07")
def nagle(path: Path) -> Truth:
    """Three lines of the report's server to a reader far away, at the server."""
    return far_reader(path, "lab/stages/report.py")


def far_reader(path: Path, program: str) -> Truth:
    """Brandon says three lines, each when the one before has come back to him; John is far away."""
    encode = ReportWire.encode
    with (
        lesson_lan(path, "server") as lan,
        chat_server(lan, program) as log,
        BareSocket(lan["PC1"]) as brandon,
        BareSocket(lan["PC2"]) as john,
    ):
        lan.condition("PC2", delay_s=FAR_S)
        for name, one in (("Brandon", brandon), ("John", john)):
            join_chat(one, name, lan, log, encode)
        lan.settle()
        for text in QUICK:
            brandon.say(encode(events.Say(text)))
            brandon.hear(until=text.encode())
        john.hear(until=QUICK[-1].encode())
        lan.settle()
        for one in (john, brandon):
            leave_chat(one, encode)
        lan.settle()
    return {"room_server": program, "users": ["Brandon", "John"], "said": list(QUICK), "cable_s": FAR_S}
