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
from lab.chat.login import Login
from lab.chat.report_wire import ReportWire
from lab.harness.attack_lan import in_the_servers_place, is_reset
from lab.harness.bare_socket import BareSocket
from lab.harness.certificates import issue
from lab.harness.forging import ACK, PSH, RST, Forger
from lab.harness.lan_tap import Recording
from lab.harness.lesson_lan import chat_server, join_chat, leave_chat
from lab.harness.relay import FALSE_WORD, TRUE_WORD, Relay, word_changer
from lab.harness.remote_chat import ConsoleLog, dial_from
from lab.harness.scenarios.arp import SAID
from lab.harness.scenarios.downgrade import fall_back
from lab.harness.scenarios.impostor import VERSION, careless_client, meet
from lab.harness.student_profile import Profile
from lab.harness.tap import RecordingError
from lab.harness.tls_contexts import SERVER_NAME, contexts
from lab.harness.variant import REPORT_PORT, Variant
from lab.net.lan import Host, Lan
from lab.net.plan import HostPlan, host

FORGED_TEXT = "I quit"


@dataclass
class Scene:
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
        scene = Scene(lan, log, mallory, one.attack.user, lan[computers[one.attack.user]], others, lines)
        for name, other in others.items():
            scene.join(name, other)
        for other in others.values():
            scene.say(other)
        ATTACKS[one.attack.kind](scene)
        lan.settle()
        for other in others.values():
            scene.say(other)
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


def _reset(scene: Scene) -> None:
    scene.lan.mirror("Mallory")
    with BareSocket(scene.victim) as victim:
        scene.join(scene.name, victim)
        scene.say(victim)
        scene.lan.settle()
        scene.mallory.follow(scene.lan["server"], scene.victim, RST)
        if not is_reset(victim.hear_to_the_end):
            raise RecordingError("the forged RST has not ended the connection")


def _inject(scene: Scene) -> None:
    scene.lan.mirror("Mallory")
    forged = f"<{next(iter(scene.others))}> {FORGED_TEXT}".encode()
    with BareSocket(scene.victim) as victim:
        scene.join(scene.name, victim)
        scene.say(victim)
        scene.lan.settle()
        scene.mallory.follow(scene.lan["server"], scene.victim, PSH | ACK, forged)
        victim.hear(until=forged)
        scene.lan.settle()
        victim.vanish()  # gracefully it cannot leave: the two ends disagree


def _arp(scene: Scene) -> None:
    change = word_changer(scene.victim.address)
    with BareSocket(scene.victim) as victim:
        scene.join(scene.name, victim)
        scene.say(victim)
        with Relay(scene.mallory, [scene.victim, scene.lan["server"]], change):
            scene.lan.settle()
            victim.say(ReportWire.encode(events.Say(SAID)))
            for other in scene.others.values():
                other.hear(until=FALSE_WORD)
            victim.hear(until=TRUE_WORD)
            scene.lan.settle()
        scene.lan.settle()
        scene.say(victim)
        leave_chat(victim, ReportWire.encode)


def _mitm(scene: Scene) -> None:
    with ExitStack() as stack:
        context, _ = contexts(stack, Variant(VERSION))
        with in_the_servers_place(scene.lan, scene.mallory, scene.victim):
            her, address = scene.lan["Mallory"], scene.lan["server"].address
            meet(scene.victim, careless_client(), her, context, address)


def _downgrade(scene: Scene) -> None:
    with tempfile.TemporaryDirectory() as folder:
        context = tls.client_context(issue(folder, [SERVER_NAME]).ca)
        server, dial = scene.lan["server"].address, dial_from(scene.victim)
        login = Login(scene.name, server, REPORT_PORT, context, dial=dial, server_name=SERVER_NAME)
        with in_the_servers_place(scene.lan, scene.mallory, scene.victim):
            fall_back(scene.lan, scene.victim, login, scene.lines.pop(0), scene.log)


ATTACKS: dict[str, Callable[[Scene], None]] = {  # by their names in the texts
    "reset": _reset,
    "inject": _inject,
    "arp": _arp,
    "mitm": _mitm,
    "downgrade": _downgrade,
}
