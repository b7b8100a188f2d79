"""Record a student's ``attack.pcapng``: users chat, and one of them is attacked, once.

The profile says how, whom, and by which cards; the attacks are those of notebook 10 (``scenarios``), without their
twins. The cards of all users' computers are recorded into one file: each connection is there once, and so is
each forged frame that reached a user. Nothing in the file names the attacker or the attack.
"""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lab.chat import events, tls
from lab.chat.report_wire import ReportWire
from lab.harness.attack_lan import in_the_servers_place
from lab.harness.bare_socket import BareSocket
from lab.harness.certificates import issue
from lab.harness.forging import ACK, PSH, RST, Forger
from lab.harness.lan_tap import Recording
from lab.harness.lesson_lan import chat_server, join_chat, leave_chat
from lab.harness.relay import Relay, word_changer
from lab.harness.remote_chat import ConsoleLog
from lab.harness.scenarios.arp import FALSE_WORD, SAID, TRUE_WORD
from lab.harness.scenarios.downgrade import fall_back
from lab.harness.scenarios.impostor import VERSION, meet
from lab.harness.scenarios.reset import is_reset
from lab.harness.student_profile import Profile
from lab.harness.tap import RecordingError
from lab.harness.tls_contexts import SERVER_NAME
from lab.net.lan import Host, Lan
from lab.net.plan import HostPlan, host

FORGED_TEXT = "I quit"


@dataclass
class Room:
    """A room in which somebody is attacked. ``others`` are in the room all the time."""

    lan: Lan
    log: ConsoleLog
    mallory: Forger
    name: str
    victim: Host
    others: dict[str, BareSocket]
    lines: list[str]  # not yet said

    def join(self, name: str, one: BareSocket) -> None:
        join_chat(one, name, self.lan, self.log, ReportWire.encode, no_delay=True)

    def say(self, one: BareSocket) -> None:
        """Say the next line; return when the speaker and all others have heard it."""
        line = self.lines.pop(0)
        one.say(ReportWire.encode(events.Say(line)))
        for listener in {one, *self.others.values()}:
            listener.hear(until=line.encode())


def record_attack(one: Profile, path: Path) -> None:
    """Record the attack of a profile. Raises RecordingError, and LanRefused where there can be no LAN."""
    names = one.script.users
    computers = {name: f"PC{number}" for number, name in enumerate(names, 1)}
    with Lan(_plans(one)) as lan, Forger(lan["Mallory"]) as mallory, ExitStack() as stack:
        comment = f"Chat of the lab kit on a LAN for {one.id}; recorded at the users' computers."
        stack.enter_context(Recording(lan, list(computers.values()), path, comment=comment))
        log = stack.enter_context(chat_server(lan))
        others = {
            name: stack.enter_context(BareSocket(lan[computers[name]]))
            for name in names
            if name != one.attack.user
        }
        lines = [text for _, text in one.script.lines]
        room = Room(lan, log, mallory, one.attack.user, lan[computers[one.attack.user]], others, lines)
        for name, other in others.items():
            room.join(name, other)
        for other in others.values():
            room.say(other)
        ATTACKS[one.attack.kind](room)
        lan.settle()
        for other in others.values():
            room.say(other)
        for other in others.values():
            leave_chat(other, ReportWire.encode)


def _plans(one: Profile) -> list[HostPlan]:
    """Return the server, which Mallory reaches by its second address while the first one is hers; Mallory; the users."""
    server, mallory, *users = one.attack.macs
    plans = [host("server", f"{one.network}.1/24", f"{one.network}.2/24", mac=server)]
    plans += [host("Mallory", f"{one.network}.{one.attack.number}/24", mac=mallory)]
    return plans + [
        host(f"PC{number}", f"{one.network}.{number + 10}/24", mac=mac) for number, mac in enumerate(users, 1)
    ]


def _reset(room: Room) -> None:
    room.lan.mirror("Mallory")
    with BareSocket(room.victim) as victim:
        room.join(room.name, victim)
        room.say(victim)
        room.lan.settle()
        room.mallory.follow(room.lan["server"], room.victim, RST)
        if not is_reset(victim.hear_to_the_end):
            raise RecordingError("the forged RST has not ended the connection")


def _inject(room: Room) -> None:
    room.lan.mirror("Mallory")
    forged = f"<{next(iter(room.others))}> {FORGED_TEXT}".encode()
    with BareSocket(room.victim) as victim:
        room.join(room.name, victim)
        room.say(victim)
        room.lan.settle()
        room.mallory.follow(room.lan["server"], room.victim, PSH | ACK, forged)
        victim.hear(until=forged)
        room.lan.settle()
        victim.vanish()  # gracefully it cannot leave: the two ends disagree


def _arp(room: Room) -> None:
    change = word_changer(room.victim.address, TRUE_WORD, FALSE_WORD)
    with BareSocket(room.victim) as victim:
        room.join(room.name, victim)
        room.say(victim)
        with Relay(room.mallory, [room.victim, room.lan["server"]], change):
            room.lan.settle()
            victim.say(ReportWire.encode(events.Say(SAID)))
            for other in room.others.values():
                other.hear(until=FALSE_WORD)
            victim.hear(until=TRUE_WORD)
            room.lan.settle()
        room.lan.settle()
        room.say(victim)
        leave_chat(victim, ReportWire.encode)


def _mitm(room: Room) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = issue(folder, [SERVER_NAME])
        context = tls.server_context(made.certificate, made.key, VERSION)
        with in_the_servers_place(room.lan, room.mallory, room.victim):
            meet(room.victim, None, room.lan["Mallory"], context, room.lan["server"].address)


def _downgrade(room: Room) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ca = issue(folder, [SERVER_NAME]).ca
        with in_the_servers_place(room.lan, room.mallory, room.victim):
            fall_back(room.lan, room.victim, room.name, ca, room.log, room.lines.pop(0))


ATTACKS: dict[str, Callable[[Room], None]] = {  # by their names in the texts
    "reset": _reset,
    "inject": _inject,
    "arp": _arp,
    "mitm": _mitm,
    "downgrade": _downgrade,
}
