"""Dissect what is below IP: Ethernet, Linux's cooked captures, loopback, VLAN, LLC, PPPoE, MPLS and ARP.

A step takes one header from a cursor, adds its layer, and returns the step for what follows, or None where
that is not known. ``packets.link_layer`` has the diagrams.
"""

from functools import partial

from lab.dissect.fields.ip import HOPS, dissect_ipv4, dissect_ipv6
from lab.dissect.fields.tree import Cursor, Field, Row, Step, Table, in_hex, named, take_header
from lab.dissect.packets import link_layer
from lab.dissect.packets.ip_layer import ipv4_text
from lab.dissect.packets.link_layer import LONGEST_LLC
from lab.dissect.packets.network_names import ETHER_TYPES, PPP_PROTOCOLS

TYPE_ARP = 0x0806


def _mac(value: int) -> str:
    return value.to_bytes(6, "big").hex(":")


_ETHER_TYPE = named(ETHER_TYPES, 4)
_TYPE_MEANING = "What follows: {text}; values up to 1500 are a length instead."
_KINDS = "0 to us, 1 broadcast, 2 multicast, 3 between others, 4 sent by us."
_HARDWARE = "The kind of device, as ARP numbers them; 1 is Ethernet."
_ADDRESS_LENGTH = "How many of the next eight bytes are the sender's address."
ETHERNET = (
    Row("Destination", "eth.dst", 48, "The network card that this frame is for on this link.", _mac),
    Row("Source", "eth.src", 48, "The card that put the frame on this link; routers change it.", _mac),
    Row("Type", "eth.type", 16, _TYPE_MEANING, _ETHER_TYPE),
)
VLAN = (
    Row("Priority", "vlan.priority", 3, "How urgent the frame is, 0 to 7."),
    Row("Drop eligible", "vlan.dei", 1, "1: this frame may be dropped first when a link is full."),
    Row("VLAN", "vlan.id", 12, "The number of the virtual network, here {value}."),
    Row("Type", "vlan.etype", 16, _TYPE_MEANING, _ETHER_TYPE),
)
SLL = (
    Row("Packet type", "sll.pkttype", 16, _KINDS),
    Row("Hardware type", "sll.hatype", 16, _HARDWARE),
    Row("Address length", "sll.halen", 16, _ADDRESS_LENGTH),
)
SLL_PROTOCOL = Row("Protocol", "sll.etype", 16, _TYPE_MEANING, _ETHER_TYPE)
SLL2 = (
    SLL_PROTOCOL,
    Row("Reserved", "", 16, "Must be zero."),
    Row("Interface", "sll.ifindex", 32, "The number of the interface that the frame came through."),
    Row("Hardware type", "sll.hatype", 16, _HARDWARE),
    Row("Packet type", "sll.pkttype", 8, _KINDS),
    Row("Address length", "sll.halen", 8, _ADDRESS_LENGTH),
)
_SAP = "{:02x}".format
LLC = (
    Row("Destination SAP", "llc.dsap", 8, "The receiver, {text}; aa: a SNAP header follows.", _SAP),
    Row("Source SAP", "llc.ssap", 8, "What it is from, here {text}.", _SAP),
    Row("Control", "llc.control", 8, "3: an unnumbered frame, which nobody acknowledges.", in_hex(2)),
)
SNAP = (
    Row("Organisation", "llc.oui", 24, "Who numbers the types: 0 is Ethernet.", in_hex(6)),
    Row("Type", "llc.type", 16, "What follows: {text}.", _ETHER_TYPE),
)
PPPOE = (
    Row("Version", "pppoe.version", 4, "Always 1."),
    Row("Kind", "pppoe.type", 4, "Always 1."),
    Row("Code", "pppoe.code", 8, "0: data of a session.", in_hex(2)),
    Row("Session", "pppoe.session_id", 16, "Which session between this host and its provider.", in_hex(4)),
    Row("Length", "pppoe.payload_length", 16, "Bytes behind this header: {value}."),
)
PPP = (Row("Protocol", "ppp.protocol", 16, "What follows: {text}.", named(PPP_PROTOCOLS, 4)),)
MPLS = (
    Row("Label", "mpls.label", 20, "The next router forwards the packet by this number alone."),
    Row("Traffic class", "mpls.exp", 3, "How urgent the packet is."),
    Row("Last label", "mpls.bottom", 1, "1: behind this label the packet begins."),
    Row("Time to live", "mpls.ttl", 8, HOPS),
)
_OPERATION = named({1: "request", 2: "reply"})
ARP = (
    Row("Hardware type", "arp.hw.type", 16, "The kind of link: {text}.", named({1: "Ethernet"})),
    Row("Protocol type", "arp.proto.type", 16, "The kind of address asked about: {text}.", _ETHER_TYPE),
    Row("Hardware size", "arp.hw.size", 8, "Bytes of a link address."),
    Row("Protocol size", "arp.proto.size", 8, "Bytes of a network address."),
    Row("Opcode", "arp.opcode", 16, "1 asks who has an address, 2 answers: {text}.", _OPERATION),
)
ARP_ADDRESSES = (
    Row("Sender's MAC", "arp.src.hw_mac", 48, "The card that sends this.", _mac),
    Row("Sender's IP", "arp.src.proto_ipv4", 32, "The address of its host.", ipv4_text),
    Row("Target's MAC", "arp.dst.hw_mac", 48, "The card asked for: zeros in a request.", _mac),
    Row("Target's IP", "arp.dst.proto_ipv4", 32, "The address whose card is asked for.", ipv4_text),
)


def _by_version(cursor: Cursor, _layers: list[Field]) -> Step | None:
    """Return the step for IP where nothing but the packet's own first four bits name the version."""
    return {4: dissect_ipv4, 6: dissect_ipv6}.get(cursor.number(4))


def _ethernet(cursor: Cursor, layers: list[Field]) -> Step | None:
    what = "Carries a frame from card to card on one link."
    made = take_header(cursor, layers, ETHERNET, "Ethernet", "eth", what, "IEEE 802.3 section 3.1")
    if made.get("eth.type") is None:
        return None
    destination, source, kind = made.children
    if destination.value & 1 << 40:
        destination.meaning = "Everyone on this link (broadcast), or a group of them (multicast)."
    elif destination.value == source.value == 0:
        destination.meaning = "All zeros: the loopback interface has no cards and so no addresses."
    if 0 < kind.value <= LONGEST_LLC:
        kind.name, kind.key, kind.text = "Length", "eth.len", str(kind.value)
        kind.meaning = "Bytes behind this header: up to 1500 the field is a length, and LLC follows."
    return _next(kind.value)


def _vlan(cursor: Cursor, layers: list[Field]) -> Step | None:
    what = "Says which of several networks on one cable this is."
    made = take_header(cursor, layers, VLAN, "VLAN tag", "vlan", what, "IEEE 802.1Q section 9.6")
    return _next(made.get("vlan.etype", 0))


def _cooked(
    cursor: Cursor, layers: list[Field], name: str, source: str, before: Table, behind: Table = ()
) -> Step | None:
    """Take a header that Linux makes up: the rows before the address of eight bytes, the address, those behind it.

    A cooked frame has no lengths: one small number means LLC, the others are known to Linux alone.
    """
    what = "Made up by Linux for its 'any' interface."
    made = take_header(cursor, layers, before, name, "sll", what, source)
    if not cursor.left:
        return None
    made.extend(_cooked_address(cursor, made.get("sll.halen"), source))
    made.extend(cursor.table(behind, source)[0])
    kind = made.get("sll.etype", 0)
    if kind == link_layer.SLL_LLC:
        return partial(_llc, length=cursor.left)
    return _next(kind) if kind > LONGEST_LLC else None


def _cooked_address(cursor: Cursor, length: int, source: str) -> list[Field]:
    """Take eight bytes, ``length`` of which are an address."""
    length = min(length, 8)
    parts = []
    if length:
        key = "sll.src.eth" if length == 6 else "sll.src.other"
        meaning = "The card that the frame came from."
        parts.append(cursor.run(length, "Address", meaning, key=key, source=source))
        parts[0].text = parts[0].value.hex(":")
    if length < 8:
        meaning = "Fills the address up to eight bytes."
        parts.append(cursor.run(8 - length, "Unused", meaning, key="sll.unused", source=source))
    return parts


def _null(cursor: Cursor, layers: list[Field]) -> Step | None:
    meaning = "Which protocol follows, in the byte order of the recording machine."
    rows = (Row("Family", "null.family", 32, meaning),)
    what = "Put before packets that never leave the machine."
    (family,) = take_header(cursor, layers, rows, "Loopback", "null", what, "LINKTYPE_NULL").children
    if not cursor.left:
        return None
    little = int.from_bytes(family.value.to_bytes(4, "big"), "little")
    family.value = family.value if little > 0xFFFF else little
    family.text = str(family.value)
    if family.value == link_layer.FAMILY_IPV4:
        return dissect_ipv4
    return dissect_ipv6 if family.value in link_layer.FAMILIES_IPV6 else None


def _llc(cursor: Cursor, layers: list[Field], length: int) -> Step | None:
    cursor.end = min(cursor.end, cursor.byte + length)
    what = "Says what follows where Ethernet has a length for a type."
    made = take_header(cursor, layers, LLC, "LLC", "llc", what, "IEEE 802.2 section 3")
    saps = [one.value for one in made.children]
    if saps == [0xAA, 0xAA, 3]:
        made.extend(cursor.table(SNAP, "RFC 1042")[0])
        kind = made.get("llc.type", 0)
        return _next(kind) if kind > LONGEST_LLC and not made.get("llc.oui") else None
    return dissect_ipv4 if saps == [6, 6, 3] else None


def _pppoe(cursor: Cursor, layers: list[Field]) -> Step | None:
    what = "Carries a dial-up session over Ethernet."
    made = take_header(cursor, layers, PPPOE, "PPPoE", "pppoe", what, "RFC 2516 section 4")
    cursor.end = min(cursor.end, cursor.byte + made.get("pppoe.payload_length", 0))
    return _ppp


def _ppp(cursor: Cursor, layers: list[Field]) -> Step | None:
    what = "Says what the session carries."
    made = take_header(cursor, layers, PPP, "PPP", "ppp", what, "RFC 1661 section 2")
    return {0x21: dissect_ipv4, 0x57: dissect_ipv6}.get(made.get("ppp.protocol"))


def _mpls(cursor: Cursor, layers: list[Field]) -> Step | None:
    what = "A label by which routers switch the packet on."
    made = take_header(cursor, layers, MPLS, "MPLS", "mpls", what, "RFC 3032 section 2.1")
    return _by_version if made.get("mpls.bottom") else _mpls


def _arp(cursor: Cursor, layers: list[Field]) -> Step | None:
    what = "Finds the card that has an IPv4 address on this link."
    made = take_header(cursor, layers, ARP, "ARP", "arp", what, "RFC 826")
    if (made.get("arp.hw.size"), made.get("arp.proto.size")) == (6, 4):
        made.extend(cursor.table(ARP_ADDRESSES, "RFC 826")[0])
    if cursor.left and cursor.end == len(cursor.data):
        cursor.end = cursor.byte  # the rest is padding of the link
    return None


def _next(kind: int) -> Step | None:
    """Return the step for what a type names; a small one is the length of an LLC frame."""
    return partial(_llc, length=kind) if 0 < kind <= LONGEST_LLC else _BY_TYPE.get(kind)


_BY_TYPE: dict[int, Step] = {
    link_layer.TYPE_IPV4: dissect_ipv4,
    link_layer.TYPE_IPV6: dissect_ipv6,
    TYPE_ARP: _arp,
    link_layer.TYPE_PPPOE: _pppoe,
    **dict.fromkeys(link_layer.VLAN_TYPES, _vlan),
    **dict.fromkeys(link_layer.MPLS_TYPES, _mpls),
}
FIRST_STEPS: dict[int, Step] = {
    link_layer.LINK_ETHERNET: _ethernet,
    link_layer.LINK_NULL: _null,
    link_layer.LINK_LOOP: _null,
    link_layer.LINK_SLL: partial(
        _cooked, name="Linux cooked capture", source="LINKTYPE_LINUX_SLL", before=SLL, behind=(SLL_PROTOCOL,)
    ),
    link_layer.LINK_SLL2: partial(
        _cooked, name="Linux cooked capture v2", source="LINKTYPE_LINUX_SLL2", before=SLL2
    ),
    link_layer.LINK_IPV4: dissect_ipv4,
    link_layer.LINK_IPV6: dissect_ipv6,
    **dict.fromkeys(link_layer.RAW_LINKS, _by_version),
}
