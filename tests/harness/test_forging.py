"""Frames are forged at a host of the kit's LAN and nowhere else; and what is forged is a right frame."""

import json
import os
import socket
import subprocess
import sys

import pytest

from lab.harness.attack_lan import attack_lan
from lab.harness.forging import (
    ACK,
    PSH,
    RST,
    Forger,
    ForgingRefused,
    arp_reply,
    parse_segment,
    segment,
    with_checksums,
)
from lab.net import namespace
from lab.net.lan import Host, Lan
from lab.net.plan import host
from tests.support import FRAME_1193, ROOT, needs_namespaces

PROGRAMS = ["lab.harness.forging", "lab.harness.scenarios.reset", "lab.harness.scenarios.inject"]
# As if this were a host of a LAN already: nothing in an environment may count
FORGED_ENVIRONMENT = {
    "LAB_LAN": "1",
    "LAB_HOST": "Mallory",
    "LAN": "switch",
    "container": "lab",
    "USER": "root",
}
# Runs a program in this network, then prints its exit code and how many packets have left by each interface
WATCHED = """
import json, subprocess, sys
done = subprocess.run([sys.executable, *sys.argv[1:]], capture_output=True, text=True)
cards = [line.split() for line in open("/proc/net/dev").read().splitlines()[2:]]
print(json.dumps([done.returncode, done.stderr, {card[0]: int(card[10]) for card in cards}]))
"""
# A host object made by hand, with a keeper that hands out a socket of the network that this runs in
FALSE_HOST = """
import os, socket, sys
from pyroute2 import IPRoute
from lab.harness.forging import Forger, ForgingRefused, arp_reply
from lab.net.lan import Host
from lab.net.plan import check_plan, host

class FalseLan:
    def __init__(self):
        self.plans = check_plan([host("Mallory", "10.0.0.1/24")])
    def keeper(self):
        return self
    def call(self, *_, **__):
        card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.descriptors = [card.detach()]

for name in ("all", "default"):  # or the kernel itself greets on a card that comes up
    open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w").write("1")
with IPRoute() as ip:
    ip.link("add", ifname="eth0", kind="veth", peer="eth1", state="up")
    ip.link("set", index=ip.link_lookup(ifname="eth1")[0], state="up")
lan = FalseLan()
mallory = Host(lan, lan.plans[0], os.open("/proc/self/ns/net", os.O_RDONLY))
try:
    forger = Forger(mallory)
except ForgingRefused as refused:
    print(refused, file=sys.stderr)
    sys.exit(2)
forger.send(arp_reply(forger.mac, "10.0.0.1", forger.mac, forger.mac))
"""


def run_watched(arguments: list[str], launch=lambda command: command, **environment: str) -> list:
    command = launch([sys.executable, "-c", WATCHED, *arguments])
    env = os.environ | environment
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


# Where it is refused


@pytest.mark.parametrize("environment", [{}, FORGED_ENVIRONMENT], ids=["as it is", "forged environment"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_started_by_hand_on_the_machine_it_ends_at_once(program, environment):
    code, errors, _ = run_watched(["-m", program], **environment)
    assert code == 2 and "python3 lab capture --scenario" in errors and "Traceback" not in errors


@needs_namespaces
@pytest.mark.parametrize("program", PROGRAMS)
def test_started_by_hand_in_a_foreign_namespace_nothing_is_sent(program):
    code, errors, left = run_watched(["-m", program], namespace.launcher, **FORGED_ENVIRONMENT)
    assert (code, left) == (2, {"lo:": 0}) and "python3 lab capture --scenario" in errors


@needs_namespaces
def test_a_host_made_by_hand_in_a_foreign_namespace_sends_nothing():
    code, errors, left = run_watched(["-c", FALSE_HOST], namespace.launcher, **FORGED_ENVIRONMENT)
    assert (code, left) == (2, dict.fromkeys(["lo:", "eth0:", "eth1:"], 0)), errors
    assert "nothing was sent" in errors and "Traceback" not in errors


@pytest.mark.parametrize("target", ["10.27.27.131", "eth0", 9898, ("10.27.27.131", 9898), None])
def test_it_takes_no_address_and_no_interface(target):
    with pytest.raises(ForgingRefused, match="at a host of the kit's LAN"):
        Forger(target)


@needs_namespaces
def test_a_host_whose_socket_is_elsewhere_is_refused():
    with Lan([host("A", "10.0.0.1/24"), host("B", "10.0.0.2/24")]) as lan:
        false = Host(lan, lan["A"].plan, lan["B"].network)
        with pytest.raises(ForgingRefused, match="not in the network namespace of A: nothing was sent"):
            Forger(false)
        real = lan["A"]
    with pytest.raises((ForgingRefused, ValueError), match="not running"):
        Forger(real)


# What is forged


def test_frame_1193_is_parsed_and_has_the_checksums_that_are_computed():
    seen = parse_segment(FRAME_1193)
    assert seen.payload == b"<Brandon> hello" and seen.flags == PSH | ACK
    assert (seen.source[1:], seen.destination[1:]) == (("10.27.27.131", 9898), ("10.27.27.206", 56228))
    assert with_checksums(FRAME_1193) == FRAME_1193
    spoiled = FRAME_1193[:24] + b"\1\2" + FRAME_1193[26:50] + b"\3\4" + FRAME_1193[52:]
    assert with_checksums(spoiled) == FRAME_1193


def test_a_segment_is_what_scapy_makes_of_the_same_fields():
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether

    mine, theirs = bytes(range(6)), bytes(range(6, 12))
    made = segment(mine, ("10.0.0.1", 50_000), (theirs, "10.0.0.2", 9898), seq=2**32 + 7, flags=RST)
    fields = TCP(sport=50_000, dport=9898, seq=7, ack=0, flags="R", window=8192)
    assert made == bytes(Ether(src=mine, dst=theirs) / IP(src="10.0.0.1", dst="10.0.0.2") / fields)


@needs_namespaces
def test_a_forged_reply_changes_one_hosts_table_and_a_guarded_switch_drops_it():
    with attack_lan() as (lan, mallory):
        pc1, server = lan["PC1"], lan["server"]
        mac_of_pc1 = bytes.fromhex(pc1.interfaces["eth0"].replace(":", ""))
        with pc1.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"who is there?", (server.address, 9))
        lan.settle()

        def table() -> str:
            lines = pc1.run(["cat", "/proc/net/arp"]).stdout.splitlines()
            return next(line.split()[3] for line in lines if line.startswith(f"{server.address} "))

        assert table() == server.interfaces["eth0"]
        lan.guard()
        mallory.send(arp_reply(mallory.mac, server.address, mallory.mac, mac_of_pc1))
        lan.settle()
        assert table() == server.interfaces["eth0"], "dropped at her port"
        lan.guard(False)
        mallory.send(arp_reply(mallory.mac, server.address, mallory.mac, mac_of_pc1))
        lan.settle()
        assert table() == lan["Mallory"].interfaces["eth0"]
