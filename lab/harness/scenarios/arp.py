"""Mallory answers ARP for the server and for Brandon, and what they say passes through her.

ARP has no proof: a host believes a reply that it never asked for (RFC 826). She reads, delays, and changes
one word, and back again on its way to Brandon, so that he sees what he said. Two things stop her: a switch
that checks which host speaks at which port, and entries set by an administrator, which no reply changes.
"""

import fcntl
import socket
import struct
from pathlib import Path

from lab.chat import events
from lab.chat.report_wire import ReportWire
from lab.harness.attack_lan import recorded_attack
from lab.harness.bare_socket import BareSocket
from lab.harness.forging import mac_of, parse_segment
from lab.harness.lesson_lan import chat_server, join_chat, leave_chat
from lab.harness.relay import Relay, word_changer
from lab.harness.scenarios import Truth, scenario
from lab.net.lan import Host, Lan

SAID = "lunch at noon!"
DELAY_S = 0.02  # that she keeps each frame
SIOCSARP, ATF_COM, ATF_PERM = 0x8955, 2, 4  # arp(7): set an entry that is complete and stays


@scenario(notebook="10")
def arp(path: Path) -> Truth:
    """False ARP replies lead a chat through Mallory, who changes a word, unless switch or hosts are set; at PC 1."""
    tables, heard = {}, {}
    read: dict[tuple[str, int], str] = {}  # by sender and number: what is sent again is read once

    def change(frame: bytes) -> bytes:
        if (seen := parse_segment(frame)) and seen.payload:
            read[seen.source[1], seen.seq] = seen.payload.decode(errors="replace")
        return word_changer(lan["PC1"].address)(frame)

    with (
        recorded_attack(path, "PC1", "server", "switch") as (lan, mallory, truth),
        chat_server(lan) as log,
        BareSocket(lan["PC1"]) as brandon,
        BareSocket(lan["PC2"]) as john,
    ):
        for name, one in {"Brandon": brandon, "John": john}.items():
            join_chat(one, name, lan, log, ReportWire.encode, no_delay=True)
        tables["before"] = _tables(lan)
        for when in ("attack", "guarded switch", "static entries"):
            lan.guard(when == "guarded switch")
            if when == "static entries":
                _set_entry(lan["PC1"], lan["server"])
                _set_entry(lan["server"], lan["PC1"])
            with Relay(mallory, [lan["PC1"], lan["server"]], change, DELAY_S):
                lan.settle()
                tables[when] = _tables(lan)
                brandon.say(ReportWire.encode(events.Say(SAID)))
                heard[when] = [one.hear(until=b"!").decode() for one in (brandon, john)]
                lan.settle()
            lan.settle()  # each host has heard the truth again
        for one in (john, brandon):
            leave_chat(one, ReportWire.encode)
    truth |= {"tables": tables, "delay_s": DELAY_S}
    return truth | {"said": SAID, "heard": heard, "read": list(read.values())}


def _tables(lan: Lan) -> Truth:
    """Return what PC 1 and the server believe of each other's MAC, and behind which ports the switch has its stations."""
    return {
        "PC1": _entry(lan["PC1"], lan["server"].address),
        "server": _entry(lan["server"], lan["PC1"].address),
        "switch": lan.state()["table"],
    }


def _entry(host: Host, address: str) -> str:
    """Return the MAC that a host has for an address (proc(5): /proc/net/arp)."""
    lines = (line.split() for line in host.run(["cat", "/proc/net/arp"]).stdout.splitlines())
    return next(fields[3] for fields in lines if fields[0] == address)


def _set_entry(host: Host, other: Host) -> None:
    """Set an entry in a host's ARP table for good, as ``arp -s`` does."""
    address = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(other.address))
    hardware = struct.pack("=H6s8x", 1, mac_of(other))
    request = address + hardware + struct.pack("=i16s16s", ATF_COM | ATF_PERM, b"", b"eth0")
    with host.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSARP, request)
