"""Build hosts, cables and switches, and keep them alive until the socket closes: a LAN's first process.

``lan.Lan`` starts it as a host agent. It enters a user, a network and a pid namespace of its own (``namespace.unshare``).
As process number 1 of the last, it holds the LAN together: when it ends, the kernel kills every process that was started
on a host, and the namespaces and interfaces disappear. It ends when its socket is closed or when the process that started
it has gone, which a pidfd reports even after SIGKILL.

A host is a network namespace with one veth pair for each of its cables: ``eth0`` (``eth1``, ...) in the host, and the
other end in the keeper's own namespace, where a switch picks it up. The descriptors of the namespaces go to ``Lan``,
which can then start programs in them. Netlink work is pyroute2's.
"""

import array
import contextlib
import fcntl
import ipaddress
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from typing import Any

from lab.net import namespace
from lab.net.host_agent import Answer
from lab.net.plan import MTU, HostPlan, LanRefused, Nic, gateways, port_name, settings

SIOCETHTOOL = 0x8946
# linux/ethtool.h: receive and transmit checksums, scatter-gather, and segments joined or cut by the "card"
ETHTOOL_SET = {"rx": 0x15, "tx": 0x17, "sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}

# Ports are numbered from here, unlike any card in a host: where both ends of a veth pair have the same number, the
# kernel (linkwatch) takes them for a real card and may report only a second later that the cable is plugged in.
FIRST_PORT_INDEX = 101

# IFA_F_*: no duplicate address detection, so that an address is usable at once
PERMANENT, NO_DAD = 0x80, 0x02


class Keeper:
    """Carries out the calls of a ``Lan``."""

    def build(self, plans: list[dict[str, Any]], bridge: bool, offloads: bool) -> Answer:
        """Make the whole LAN; hand out all descriptors that ``Lan`` needs. Raises LanRefused.

        These are the user and the pid namespace, the network namespace of the switches, that of each host, and the
        control socket of each switch (with the kernel's bridge: none).
        """
        starter = os.pidfd_open(os.getppid()) if hasattr(os, "pidfd_open") else None
        try:
            namespace.unshare(own_processes=True)
            first = os.fork()
        except OSError as error:
            raise LanRefused(error.strerror or error.args[0]) from error
        if first:
            os.waitpid(first, 0)  # returns when the whole pid namespace is empty
            os._exit(0)
        namespace.die_with_parent()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # orphans come to process 1: let the kernel reap them
        hosts = [HostPlan(**plan | {"nics": [Nic(**nic) for nic in plan["nics"]]}) for plan in plans]
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._networks = []
        for host in hosts:
            self._networks.append(namespace.new_network())
            for name, value in settings(host).items():
                _set(name.replace(".", "/").removeprefix("net/"), value)
        namespace.join(self._home, namespace.CLONE_NEWNET)
        controls = _build(hosts, self._home, self._networks, bridge, offloads)
        if starter is not None:
            threading.Thread(target=_end_with, args=[starter], daemon=True).start()
        shared = [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY) for kind in ("user", "pid")]
        return Answer(None, [*shared, self._home, *self._networks, *controls])

    def open_socket(self, host: int, kind: list[int]) -> Answer:
        """Make a socket on one of the hosts, by its number in the plan, and hand it out."""
        namespace.join(self._networks[host], namespace.CLONE_NEWNET)
        try:
            return Answer(None, [socket.socket(*kind).detach()], close=True)
        finally:
            namespace.join(self._home, namespace.CLONE_NEWNET)


def _end_with(process: int) -> None:
    select.select([process], [], [])
    os._exit(0)


def _build(hosts: list[HostPlan], home: int, networks: list[int], bridge: bool, offloads: bool) -> list[int]:
    """Plug the hosts together; return the control socket of each switch."""
    from pyroute2 import IPRoute  # takes a while to import, and only the building needs it

    _set("ipv6/conf/all/disable_ipv6", 1)  # the switches' end of a cable must not send anything by itself
    _set("ipv6/conf/default/disable_ipv6", 1)
    plugged: dict[str, list[str]] = {}  # the ports of each switch
    indices: dict[str, int] = {}
    with IPRoute() as ip:
        for host, network in zip(hosts, networks, strict=True):
            for number, nic in enumerate(host.nics):
                port = port_name(host, number)
                indices[port] = FIRST_PORT_INDEX + len(indices)
                plugged.setdefault(nic.switch, []).append(port)
                # A veth pair: its end in the host's namespace, and the port, named after the host, at the switch.
                host_end = {"ifname": f"eth{number}", "net_ns_fd": network, "address": nic.mac, "mtu": MTU}
                ip.link("add", index=indices[port], ifname=port, kind="veth", mtu=MTU, peer=host_end)
                ip.link("set", index=indices[port], state="up")
        for host, network in zip(hosts, networks, strict=True):
            namespace.join(network, namespace.CLONE_NEWNET)
            _configure(host, gateways(host, hosts), offloads)
        namespace.join(home, namespace.CLONE_NEWNET)
        if bridge:
            for name, ports in plugged.items():
                _bridge(ip, name, [indices[port] for port in ports])
            return []
    return [_start_switch(ports) for ports in plugged.values()]


def _configure(host: HostPlan, routers: list[str], offloads: bool) -> None:
    """Set addresses, offloads and routes of the host whose namespace this process is in."""
    from pyroute2 import IPRoute

    with IPRoute() as ip:
        for number, nic in enumerate(host.nics):
            name = f"eth{number}"
            if not offloads:
                offloads_off(name)
            index = ip.link_lookup(ifname=name)[0]
            for one in map(ipaddress.ip_interface, nic.addresses):
                ip.addr(
                    "add", index=index, address=str(one.ip), prefixlen=one.network.prefixlen,
                    broadcast=str(one.network.broadcast_address),
                    flags=PERMANENT | NO_DAD if one.version == 6 else PERMANENT,
                )  # fmt: skip
            ip.link("set", index=index, state="up")
        for gateway in routers:
            ip.route("add", dst="::/0" if ":" in gateway else "0.0.0.0/0", gateway=gateway)


def offloads_off(interface: str) -> None:
    """Have the kernel make real frames with real checksums, none longer than the MTU (as ``ethtool -K`` does)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in ETHTOOL_SET.values():
            value = array.array("I", [command, 0])
            request = struct.pack("16sP16x", interface.encode(), value.buffer_info()[0])
            # A feature that this kernel's veth cannot switch is off anyway.
            with contextlib.suppress(OSError):
                fcntl.ioctl(any_socket, SIOCETHTOOL, request)


def _bridge(ip: Any, name: str, ports: list[int]) -> None:
    """Make the kernel's own switch, to compare with."""
    ip.link("add", ifname=name, kind="bridge")
    bridge = ip.link_lookup(ifname=name)[0]
    for index in ports:
        ip.link("set", index=index, master=bridge)
    ip.link("set", index=bridge, state="up")


def _start_switch(ports: list[str]) -> int:
    """Start one switch; return our end of its control socket."""
    ours, its = socket.socketpair()
    with its:
        command = [sys.executable, "-m", "lab.net.switch", str(its.fileno()), *ports]
        subprocess.Popen(command, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL)
    return ours.detach()


def _set(name: str, value: object) -> None:
    try:
        with open(f"/proc/sys/net/{name}", "w") as file:
            file.write(str(value))
    except FileNotFoundError:
        if not name.startswith("ipv6/"):  # a kernel without IPv6 has nothing to switch off
            raise
