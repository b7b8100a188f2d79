"""The plan of a LAN: hosts and routers with their cards, checked before anything is built.

``host`` and ``router`` plan who is there; hosts with the same ``switch`` are on one Ethernet, and a router joins two or
more of these. ``check_plan`` refuses what cannot work in one clear line (``LanError``): names, MACs and addresses must
be unique, and networks on different switches must not overlap. ``REPORT_LAN`` is the report's network.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

MTU = 1500
HOSTS_LIMIT = 200  # their descriptors must fit into one message (SCM_MAX_FD is 253)

# What the report's trace was made with (no timestamps option; a receive buffer of up to 6 MiB, which makes the window
# scale 7), whatever this machine's memory suggests; and nothing remembered of earlier connections, whose round-trip
# time and window Linux would otherwise start the next one with.
SYSCTL = {
    "net.ipv4.tcp_timestamps": "0",
    "net.ipv4.tcp_rmem": "4096 131072 6291456",
    "net.ipv4.tcp_no_metrics_save": "1",
}
IPV6 = {
    "net.ipv6.conf.default.accept_ra": "0",  # nobody advertises routes here, so do not ask for them either
    "net.ipv6.conf.default.router_solicitations": "0",
    # No address is tried for duplicates, which the plan rules out: it would hold the first packets up for a second.
    "net.ipv6.conf.all.accept_dad": "0",
    "net.ipv6.conf.default.accept_dad": "0",
}
NO_IPV6 = {"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1"}
FORWARDING = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}


class LanError(ValueError):
    """A plan that cannot be built, or a host or switch that is not there; one line that says what is wrong."""


class LanRefused(OSError):
    """This system does not let an ordinary user make namespaces; ``namespace.diagnosis`` names the cause."""


@dataclass(frozen=True)
class Nic:
    """One network card: the switch it is plugged into, its addresses ("10.0.0.1/24"), and its MAC or None."""

    switch: str
    addresses: tuple[str, ...]
    mac: str | None = None


@dataclass(frozen=True)
class HostPlan:
    """A host with its cards, and kernel settings of its own ("net.ipv4.tcp_sack": "0") on top of ``SYSCTL``."""

    name: str
    nics: tuple[Nic, ...]
    sysctl: dict[str, str] = field(default_factory=dict, hash=False)
    routes: bool = False


def host(
    name: str,
    *addresses: str,
    mac: str | None = None,
    switch: str = "switch",
    sysctl: dict[str, str] | None = None,
) -> HostPlan:
    """Plan a host with one card, for example ``host("PC1", "10.0.0.2/24", "fd00::2/64")``."""
    return HostPlan(name, (Nic(switch, addresses, mac),), sysctl or {})


def router(
    name: str, addresses: Mapping[str, str | Iterable[str]], sysctl: dict[str, str] | None = None
) -> HostPlan:
    """Plan a host with a card on each of several switches, which passes packets on between them.

    ``addresses`` maps a switch's name to the router's address there, or to several. Hosts on these switches
    use the router as their default gateway.
    """
    nics = (Nic(switch, (a,) if isinstance(a, str) else tuple(a)) for switch, a in addresses.items())
    return HostPlan(name, tuple(nics), FORWARDING | (sysctl or {}), routes=True)


def port_name(plan: HostPlan, number: int) -> str:
    """Return the name of a port: its host's, from the second card on with the card's number."""
    return plan.name + (f".{number}" if number else "")


def plain(name: str) -> str:
    return name.replace(" ", "").lower()


# Checking a plan

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def check_plan(hosts: Iterable[HostPlan]) -> list[HostPlan]:
    """Return the plans with every MAC filled in. Raises LanError where names, addresses or networks collide."""
    plans = [_with_macs(number, plan) for number, plan in enumerate(hosts, 1)]
    names: set[str] = set()
    addresses: dict[object, str] = {}
    macs: dict[str | None, str] = {}
    networks: dict[Network, str] = {}
    if not plans:
        raise LanError("a LAN needs at least one host")
    if len(plans) > HOSTS_LIMIT:
        raise LanError(f"a LAN takes up to {HOSTS_LIMIT} hosts, not {len(plans)}")
    for plan in plans:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,11}", plan.name) or plan.name == "lo":
            raise LanError(f"host name {plan.name!r}: up to 12 letters, digits, - and _, the first a letter")
        if plain(plan.name) in names:
            raise LanError(f"two hosts are called {plan.name}")
        names.add(plain(plan.name))
        if plan.routes and len(plan.nics) < 2:
            raise LanError(f"{plan.name}: a router needs two switches to pass packets between")
        for nic in plan.nics:
            if nic.mac in macs:
                raise LanError(f"{plan.name} and {macs[nic.mac]} have the same MAC {nic.mac}")
            macs[nic.mac] = plan.name
            if not nic.addresses:
                raise LanError(f"{plan.name} has no address on {nic.switch}")
            for text in nic.addresses:
                ip, network = _interface(plan.name, text)
                if ip in addresses:
                    raise LanError(f"{plan.name} and {addresses[ip]} have the same address {ip}")
                addresses[ip] = plan.name
                _keep_apart(networks, network, nic.switch)
    return plans


def _keep_apart(networks: dict[Network, str], network: Network, switch: str) -> None:
    for other, where in networks.items():
        same_version = other.version == network.version
        if same_version and other.overlaps(network) and (other, where) != (network, switch):
            raise LanError(f"the networks {other} on {where} and {network} on {switch} overlap")
    networks[network] = switch


def _interface(host_name: str, text: str) -> tuple[object, Network]:
    """Return the address and the network of "10.0.0.1/24". Raises LanError where no host can have it."""
    try:
        interface: Interface = ipaddress.ip_interface(text)
    except ValueError as error:
        raise LanError(f"{host_name}: {error}") from None
    network, ip = interface.network, interface.ip
    if "/" not in text:
        length = 24 if interface.version == 4 else 64
        raise LanError(f"{host_name}: {text} needs a prefix length, such as {text}/{length}")
    if ip.is_loopback or ip.is_multicast or ip.is_unspecified:
        raise LanError(f"{host_name}: {ip} cannot be a host's address")
    if network.num_addresses > 2 and ip == network.network_address:
        raise LanError(f"{host_name}: {ip} is the address of the network {network} itself")
    if interface.version == 4 and network.num_addresses > 2 and ip == network.broadcast_address:
        raise LanError(f"{host_name}: {ip} is the broadcast address of {network}")
    return ip, network


def _with_macs(number: int, plan: HostPlan) -> HostPlan:
    """Give cards without a MAC 02:00:00:00:HOST:CARD (02: locally administered), the same in every run."""
    nics = tuple(
        replace(nic, mac=_mac(plan.name, nic.mac) if nic.mac else f"02:00:00:00:{number:02x}:{card:02x}")
        for card, nic in enumerate(plan.nics, 1)
    )
    return replace(plan, nics=nics)


def _mac(host_name: str, text: str) -> str:
    mac = text.lower().replace("-", ":")
    if not re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", mac) or int(mac[:2], 16) & 1:
        raise LanError(f"{host_name}: {text} is not the MAC of one card")
    return mac


# For the keeper


def settings(plan: HostPlan) -> dict[str, str]:
    """Return all kernel settings of a host."""
    has_ipv6 = any(interface.version == 6 for interface in interfaces(plan))
    return SYSCTL | (IPV6 if has_ipv6 else NO_IPV6) | plan.sysctl


def gateways(plan: HostPlan, plans: list[HostPlan]) -> list[str]:
    """Return the address of the router on each network of the host; a router needs none."""
    networks = [interface.network for interface in interfaces(plan)]
    offered = [interface for one in plans if one.routes for interface in interfaces(one)]
    return [str(one.ip) for one in offered if one.network in networks and not plan.routes]


def interfaces(plan: HostPlan) -> list[Interface]:
    """Return the addresses of all cards, each with its network."""
    return [ipaddress.ip_interface(address) for nic in plan.nics for address in nic.addresses]


# The report's network, with the two MACs that its frame 1193 shows

REPORT_LAN = (
    host("server", "10.27.27.131/24", mac="c6:fe:50:ad:ab:dc"),
    host("PC1", "10.27.27.206/24", mac="18:c0:4d:df:aa:43"),
    host("PC2", "10.27.27.49/24"),
    host("laptop", "10.27.27.43/24"),
)
