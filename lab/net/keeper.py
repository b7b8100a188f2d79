"""The first process of a LAN: builds hosts, cables and switches, then keeps them alive until it is told to
stop.

``lan.Lan`` starts it and talks to it over a socket; nobody else need to. It enters a user, a network and a
pid namespace of its own (``namespace.enter``), and as process number 1 of the last it is what everything in
the LAN lives by: when it ends, for whatever reason, the kernel kills every process started on a host, the
namespaces go with their last process, and the interfaces with the namespaces. It ends when its socket is
closed or the process that started it is gone, which a pidfd tells even after SIGKILL.

A host is a network namespace with one veth pair for each of its cables: ``eth0`` (``eth1``, ...) in the host,
the other end in the keeper's own namespace, where a switch picks it up. The descriptors of the namespaces go
to ``Lan``, which can then start programs in them. Netlink work is pyroute2's.
"""

import array
import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys

from lab.net import namespace

SIOCETHTOOL = 0x8946
# linux/ethtool.h: receive and transmit checksums, scatter-gather, and segments put together or cut by the "card"
ETHTOOL_SET = {"rx": 0x15, "tx": 0x17, "sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}

# Ports are numbered from here, unlike any card in a host: where both ends of a veth pair have the same number, the
# kernel (linkwatch) takes them for a real card and may tell them only a second later that the cable is plugged in.
FIRST_PORT_INDEX = 101

PERMANENT, NO_DAD = (
    0x80,
    0x02,
)  # IFA_F_*: no duplicate address detection, so that an address is usable at once


def main(arguments: list[str]) -> int:
    control = socket.socket(fileno=int(arguments[0]))
    starter = os.pidfd_open(os.getppid()) if hasattr(os, "pidfd_open") else None
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is the starter's business, which then closes the socket
    try:
        before = os.stat("/proc/self/ns/user").st_ino
        namespace.enter(own_processes=True)
        user = os.open("/proc/self/ns/user", os.O_RDONLY)
        first = os.fork()
    except OSError as error:
        _send(control, {"error": error.strerror or error.args[0], "refused": True})
        return namespace.EXIT_REFUSED
    if first:
        control.close()
        os.waitpid(first, 0)  # returns when the whole pid namespace is empty
        return 0
    namespace.die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # orphans come to process 1: let the kernel reap them
    with control:
        with control.makefile() as requests:
            plan = json.loads(requests.readline() or "null")
        if plan is None:
            return 0
        try:
            answer, descriptors = build(plan)
        except Exception as error:  # whatever it is, the starter has to hear of it
            _send(control, {"error": f"{type(error).__name__}: {error}"})
            return 1
        answer["new_user"] = os.fstat(user).st_ino != before  # root may have gone without
        _send(control, answer, [user, os.open("/proc/self/ns/pid", os.O_RDONLY), *descriptors])
        select.select([control, *([starter] if starter is not None else [])], [], [])
    return 0


def build(plan: dict) -> tuple[dict, list[int]]:
    """Make the whole LAN; gives the answer for the starter and the descriptors that go with it.

    These are: the namespace of the switches, that of each host, the control socket of each switch (if not a
    bridge).
    """
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    _set("ipv6/conf/all/disable_ipv6", 1)  # the switches' end of a cable must not speak by itself
    _set("ipv6/conf/default/disable_ipv6", 1)
    networks = []
    for host in plan["hosts"]:
        networks.append(namespace.new_network())
        for name, value in host["sysctl"].items():
            _set(name.replace(".", "/").removeprefix("net/"), value)
    namespace.join(home, namespace.CLONE_NEWNET)
    ports: dict[str, list[tuple[str, str]]] = {name: [] for name in plan["switches"]}
    indices: dict[str, int] = {}
    with _netlink() as ip:
        for host, network in zip(plan["hosts"], networks, strict=True):
            for number, nic in enumerate(host["nics"]):
                indices[nic["port"]] = FIRST_PORT_INDEX + len(indices)
                _add_cable(ip, indices[nic["port"]], f"eth{number}", nic, network)
                ports[nic["switch"]].append((nic["port"], nic["port"]))
        for host, network in zip(plan["hosts"], networks, strict=True):
            namespace.join(network, namespace.CLONE_NEWNET)
            _configure(host)
        namespace.join(home, namespace.CLONE_NEWNET)
        if plan["bridge"]:
            for name, plugged in ports.items():
                _bridge(ip, name, [indices[port] for port, _ in plugged])
            return {}, [home, *networks]
    return {}, [home, *networks, *(_start_switch(name, plugged) for name, plugged in ports.items())]


def _netlink():
    from pyroute2 import IPRoute  # takes a while to import, and only the building needs it

    return IPRoute()


def _add_cable(ip, index: int, interface: str, nic: dict, network: int) -> None:
    """A veth pair: ``interface`` in the host's namespace, and the port, named for the host, in the switch's."""
    host_end = {"ifname": interface, "net_ns_fd": network, "address": nic["mac"], "mtu": nic["mtu"]}
    ip.link("add", index=index, ifname=nic["port"], kind="veth", mtu=nic["mtu"], peer=host_end)
    ip.link("set", index=index, state="up")


def _configure(host: dict) -> None:
    """Addresses, offloads and routes of the host whose namespace this process is in."""
    with _netlink() as ip:
        for number, nic in enumerate(host["nics"]):
            name = f"eth{number}"
            if not nic["offloads"]:
                _offloads_off(name)
            index = ip.link_lookup(ifname=name)[0]
            for address in nic["addresses"]:
                flags = PERMANENT | NO_DAD if ":" in address["ip"] else PERMANENT
                where = {"index": index, "prefixlen": address["prefix"], "broadcast": address["broadcast"]}
                ip.addr("add", address=address["ip"], flags=flags, **where)
            ip.link("set", index=index, state="up")
        for gateway in host["gateways"]:
            ip.route("add", dst="::/0" if ":" in gateway else "0.0.0.0/0", gateway=gateway)


def _offloads_off(interface: str) -> None:
    """Have the kernel make real frames with real checksums, none longer than the MTU (as ``ethtool -K`` does)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in ETHTOOL_SET.values():
            value = array.array("I", [command, 0])
            request = struct.pack("16sP16x", interface.encode(), value.buffer_info()[0])
            with contextlib.suppress(
                OSError
            ):  # a feature that this kernel's veth cannot switch is not on either
                fcntl.ioctl(any_socket, SIOCETHTOOL, request)


def _bridge(ip, name: str, ports: list[int]) -> None:
    """The kernel's own switch, to compare with."""
    ip.link("add", ifname=name, kind="bridge")
    bridge = ip.link_lookup(ifname=name)[0]
    for index in ports:
        ip.link("set", index=index, master=bridge)
    ip.link("set", index=bridge, state="up")


def _start_switch(name: str, plugged: list[tuple[str, str]]) -> int:
    """Start one switch as a process of its own; gives our end of its control socket."""
    ours, its = socket.socketpair()
    with its:
        command = [sys.executable, "-m", "lab.net.switch", "--control", str(its.fileno())]
        command += [f"{port}={interface}" for port, interface in plugged]
        subprocess.Popen(command, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL)
    return ours.detach()


def _set(name: str, value) -> None:
    path = f"/proc/sys/net/{name}"
    try:
        with open(path, "w") as file:
            file.write(str(value))
    except FileNotFoundError:
        if not name.startswith("ipv6/"):  # a kernel without IPv6 has nothing to switch off
            raise


def _send(control: socket.socket, answer: dict, descriptors: list[int] | None = None) -> None:
    with contextlib.suppress(ConnectionError):  # the starter has gone: so do we
        socket.send_fds(control, [json.dumps(answer).encode() + b"\n"], descriptors or [])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
