"""Build the LAN that most scenarios use: a long cable at PC 1, and a server with a console to wait for.

The cable of PC 1 takes 30 ms each way: a whole flight of segments has left before the first answer is back, as on a real
path, however fast this machine is.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.chat import events
from lab.harness.bare_socket import BareSocket
from lab.harness.lan_tap import Recording
from lab.harness.remote_chat import ConsoleLog, remote_server
from lab.harness.variant import REPORT_PORT
from lab.net.lan import Host, Lan
from lab.net.plan import REPORT_LAN

CABLE_S = 0.03  # one way
# Without a tail loss probe (RFC 8985 section 7), which would repeat a segment before the retransmission timer does.
TEXTBOOK = {"net.ipv4.tcp_early_retrans": "0"}

Encode = Callable[[events.Request], bytes]  # of one of the wires


@contextmanager
def lesson_lan(path: Path, place: str) -> Iterator[Lan]:
    """Yield the LAN while it is recorded at one place."""
    plans = [replace(plan, sysctl=plan.sysctl | TEXTBOOK) for plan in REPORT_LAN]
    with Lan(plans) as lan:
        lan.condition("PC1", delay_s=CABLE_S)
        with recorded_at(lan, path, place):
            yield lan


@contextmanager
def chat_server(
    lan: Lan, program: str = "lab/server.py", options: Sequence[str] = ()
) -> Iterator[ConsoleLog]:
    """Run a server on its host; yield what its console has printed."""
    log = ConsoleLog()
    with remote_server(lan["server"], REPORT_PORT, log.console, program, options):
        yield log


@contextmanager
def connection(
    lan: Lan, host: str = "PC1", greeting: bytes = b"", **options: Any
) -> Iterator[tuple[BareSocket, BareSocket]]:
    """Yield the server's end of a connection and that of a host, which connects with these options and is greeted."""
    with BareSocket(lan["server"]) as server, BareSocket(lan[host]) as client:
        server.listen()
        client.connect(lan["server"].address, **options)
        server.accept()
        if greeting:
            server.say(greeting, to=client)
        yield server, client


def send_all(sender: BareSocket, receiver: BareSocket, pieces: Sequence[bytes]) -> None:
    """Send these pieces, one ``send`` each; the receiver answers when it has heard the last, and both close."""
    sender.say(*pieces, wait=False)
    receiver.hear(until=pieces[-1])
    receiver.say(b"got it", to=sender)
    sender.leave()  # only now, because a FIN would reveal a loss, too
    receiver.hear_to_the_end()
    receiver.leave(wait=True)


def join_chat(one: BareSocket, name: str, lan: Lan, log: ConsoleLog, encode: Encode, **options: Any) -> None:
    """Connect with these options and join the chat; return when the server has printed so."""
    one.connect(lan["server"].address, **options)
    one.say(encode(events.Join(name)))
    log.wait_for(f"*** {name} Connected ")


def leave_chat(one: BareSocket, encode: Encode) -> None:
    """Leave the chat, and close when the server has."""
    one.say(encode(events.Leave()))
    one.hear_to_the_end()
    one.leave()


def set_kernel(host: Host, name: str, value: object) -> None:
    """Change a setting of a host's kernel ("net.ipv4.tcp_syncookies") while it runs."""
    host.run(["sh", "-c", f"echo {value} > /proc/sys/{name.replace('.', '/')}"])


def recorded_at(lan: Lan, path: Path, *places: str) -> Recording:
    """Return a recording at these places: the first into ``path``, the others beside it, into ``NAME-PLACE.pcapng``."""
    comment = f"{path.stem}, a lesson of the lab kit, recorded at {', '.join(places)}"
    return Recording(lan, places, files_of(path, *places), comment=comment)


def files_of(path: Path, *places: str) -> list[Path]:
    """Return the files of a recording at several places."""
    return [path, *(path.with_stem(f"{path.stem}-{place}") for place in places[1:])]
