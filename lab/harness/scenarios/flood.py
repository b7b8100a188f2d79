"""Mallory fills the server's queue of half-open connections with SYNs, so that Brandon does not get in.

Each SYN comes from another port of an address that nobody has (from her own, her system would answer the
SYN-ACK with a RST). The queue is small here; a SYN that finds it full is dropped. With SYN cookies the server
keeps nothing of a SYN: what it must know is in the number of its SYN-ACK, and comes back with the ACK (RFC
4987 section 3.6).
"""

from pathlib import Path

from lab.harness.attack_lan import recorded_attack
from lab.harness.bare_socket import BareSocket
from lab.harness.forging import SYN, arp_reply, mac_of, segment
from lab.harness.lesson_lan import set_kernel
from lab.harness.scenarios import Truth, scenario
from lab.harness.variant import REPORT_PORT
from lab.net.lan import Host

NOBODY = "10.27.27.200"
SYNS, QUEUE = 32, 8
PATIENCE_S = 2.5  # after which Brandon gives up: he has sent two SYNs by then


@scenario(notebook="10")
def flood(path: Path) -> Truth:
    """A few SYNs from an address that nobody has keep Brandon out, and with SYN cookies they do not; at the server."""
    connected = {}
    with recorded_attack(path, "server", "PC1", "switch") as (lan, mallory, truth):
        server = lan["server"]
        set_kernel(server, "net.core.somaxconn", QUEUE)
        set_kernel(server, "net.ipv4.tcp_max_syn_backlog", QUEUE)
        for first_port, cookies in ((20_000, 0), (30_000, 1)):
            set_kernel(server, "net.ipv4.tcp_syncookies", cookies)
            with BareSocket(server) as listener:
                listener.listen()
                for port in range(first_port, first_port + SYNS):
                    to = (mac_of(server), server.address, REPORT_PORT)
                    mallory.send(segment(mallory.mac, (NOBODY, port), to, seq=1, flags=SYN))
                    if port == first_port:  # the server asks who has the address, and she has it
                        lan.settle()
                        mallory.send(arp_reply(mallory.mac, NOBODY, mallory.mac, mac_of(server)))
                lan.settle()
                connected["cookies" if cookies else "no cookies"] = _connects(lan["PC1"], server)
    return truth | {"connected": connected, "syns": SYNS, "queue": QUEUE, "address": NOBODY}


def _connects(client: Host, server: Host) -> bool:
    with client.open_socket() as sock:
        sock.settimeout(PATIENCE_S)
        try:
            sock.connect((server.address, REPORT_PORT))
        except TimeoutError:
            return False
        return True
