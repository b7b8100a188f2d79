"""Build the LAN of the attacks: the server, Brandon on PC 1, John on PC 2, and Mallory.

Mallory forges with a ``Forger`` and with nothing else. The switch has two settings that real ones have:
``lan.mirror`` sends a copy of every frame to her port, which puts her on the path as on a hub or a radio;
``lan.guard`` drops what comes in at a port in the name of another host. A recording is made at several places
at once, a file each, because an attack looks different from each of them.
"""

import fcntl
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from lab.chat.tls import TlsConnection
from lab.dissect.files.capture_file import read_capture
from lab.harness.bare_socket import WAIT_S
from lab.harness.forged_frames import frames_in_anothers_name
from lab.harness.forging import Forger, arp_reply, mac_of
from lab.harness.lesson_lan import files_of, recorded_at
from lab.harness.manifest import Entry, sha256_of
from lab.harness.tls_contexts import SERVER_NAME, contexts
from lab.harness.variant import REPORT_PORT, Variant
from lab.net.lan import Host, Lan
from lab.net.plan import REPORT_LAN, host

SERVER, PC1, PC2 = REPORT_LAN[:3]
MALLORY = host("Mallory", "10.27.27.66/24", mac="02:00:00:00:00:66")
ATTACK_LAN = (
    # By its second address Mallory reaches the server while the first one is hers.
    host(SERVER.name, *SERVER.nics[0].addresses, "10.27.27.132/24", mac=SERVER.nics[0].mac),
    PC1,
    PC2,
    MALLORY,
)
SIOCSIFADDR, SIOCSIFNETMASK = 0x8916, 0x891C  # netdevice(7)


@contextmanager
def attack_lan() -> Iterator[tuple[Lan, Forger]]:
    """Yield the LAN and Mallory's forger."""
    with Lan(ATTACK_LAN) as lan, Forger(lan["Mallory"]) as mallory:
        yield lan, mallory


@contextmanager
def recorded_attack(path: Path, *places: str) -> Iterator[tuple[Lan, Forger, Entry]]:
    """Yield the LAN, Mallory's forger, and the manifest's part, to which is added what was forged in the end."""
    entry: Entry = {}
    with attack_lan() as (lan, mallory), recorded_at(lan, path, *places):
        yield lan, mallory, entry
    entry |= what_was_forged(mallory, path, *places)


@contextmanager
def tls_connection(lan: Lan, name: str, greeting: bytes) -> Iterator[TlsConnection]:
    """Yield a host's end of a connection to the server over TLS 1.3, with a trusted certificate, when it was greeted."""
    server, client = lan["server"], lan[name]
    with (
        ExitStack() as stack,
        server.listen(REPORT_PORT) as listener,
        client.open_socket() as sock,
        ThreadPoolExecutor(1) as thread,
    ):
        server_tls, client_tls = contexts(stack, Variant("1.3"))
        accepting = thread.submit(lambda: TlsConnection(listener.accept()[0], server_tls, deadline_s=WAIT_S))
        sock.settimeout(WAIT_S)
        sock.connect((server.address, REPORT_PORT))
        theirs = TlsConnection(sock, client_tls, SERVER_NAME, WAIT_S)
        ours = accepting.result()
        try:
            ours.send(greeting)
            theirs.receive(len(greeting))
            yield theirs
        finally:
            # At once: what the ends disagree about would be sent again for minutes.
            for end in (ours, theirs):
                end.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.close()


@contextmanager
def in_the_servers_place(lan: Lan, mallory: Forger, client: Host) -> Iterator[None]:
    """Have Mallory's card take the server's address too, and a client believe that it is there, and then no longer."""
    server = lan["server"]
    # A false reply only changes what is known.
    with client.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"where are you?", (server.address, 9))
    lan.settle()
    _take_address(lan["Mallory"], server.address)
    mallory.send(arp_reply(mallory.mac, server.address, mallory.mac, mac_of(client)))
    lan.settle()
    try:
        yield
    finally:
        _take_address(lan["Mallory"], "0.0.0.0")
        mallory.send(arp_reply(mallory.mac, server.address, mac_of(server), mac_of(client)))
        lan.settle()


def is_reset(receive: Callable[[], Any]) -> bool:
    """Return whether the connection turns out to be reset where something is received."""
    try:
        receive()
    except OSError as error:
        return "reset by peer" in str(error)
    return False


def _take_address(host: Host, address: str) -> None:
    """Set the second address of a host's card, and that alone (a mask of 32 bits); 0.0.0.0 removes it."""
    with host.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command, value in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, "255.255.255.255")):
            request = struct.pack("=16sHH4s8x", b"eth0:1", socket.AF_INET, 0, socket.inet_aton(value))
            fcntl.ioctl(any_socket, command, request)
            if address == "0.0.0.0":
                break


def what_was_forged(mallory: Forger, path: Path, *places: str) -> Entry:
    """Return the manifest's part about the frames in another's name: of ``path``, and of each file beside it."""
    views = [view(mallory, *one) for one in zip(files_of(path, *places), places, strict=True)]
    return {"forger": "Mallory", "place": places[0], "forged": views[0]["forged"], "views": views[1:]}


def view(mallory: Forger, file: Path, place: str) -> Entry:
    """Return what the manifest says of one of several files of a scenario."""
    forged = frames_in_anothers_name(file, mallory.mac, mallory.address)
    about = {"file": file.name, "place": place, "sha256": sha256_of(file), "frames": len(read_capture(file))}
    return about | {"forged": forged}
