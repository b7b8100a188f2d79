"""Dissect what is below IP: Ethernet, Linux's cooked captures, loopback, VLAN, LLC, PPPoE, MPLS and ARP.

A step takes one header from a cursor, adds its layer, and returns the step for what follows, or None where
that is not known. ``packets.link_layer`` has the diagrams.
"""

from ipaddress import IPv4Address

from lab.dissect.fields.ip import dissect_ipv4, dissect_ipv6
from lab.dissect.fields.tree import Cursor, Field, Row, Step, in_hex, named, take_header
from lab.dissect.packets.link_layer import (
    FAMILIES_IPV6,
    FAMILY_IPV4,
    LINK_ETHERNET,
    LINK_IPV4,
    LINK_IPV6,
    LINK_LOOP,
    LINK_NULL,
    LINK_SLL,
    LINK_SLL2,
    LONGEST_LLC,
    MPLS_TYPES,
    RAW_LINKS,
    SLL_LLC,
    TYPE_IPV4,
    TYPE_IPV6,
    TYPE_PPPOE,
    VLAN_TYPES,
)
from lab.dissect.packets.network_names import ETHER_TYPES, PPP_PROTOCOLS

TYPE_ARP = 0x0806


def _mac(value: int) -> str:
    return value.to_bytes(6, "big").hex(":")


def _ipv4_text(value: int) -> str:
    return str(IPv4Address(value))


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
LLC = (
    Row(
        "Destination SAP", "llc.dsap", 8, "The receiver, {text}; aa: a SNAP header follows.", "{:02x}".format
    ),
    Row("Source SAP", "llc.ssap", 8, "What it is from, here {text}.", "{:02x}".format),
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
    Row(
        "Time to live",
        "mpls.ttl",
        8,
        "Each router takes one off and drops the packet at zero: fewer than {value} can pass it on.",
    ),
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
    Row("Sender's IP", "arp.src.proto_ipv4", 32, "The address of its host.", _ipv4_text),
    Row("Target's MAC", "arp.dst.hw_mac", 48, "The card asked for: zeros in a request.", _mac),
    Row("Target's IP", "arp.dst.proto_ipv4", 32, "The address whose card is asked for.", _ipv4_text),
)


def first_step(link_type: int) -> Step | None:
    """Return the step for the first header of a frame."""
    if link_type in (LINK_NULL, LINK_LOOP):
        return _null
    if link_type in RAW_LINKS:
        return _raw
    steps: dict[int, Step] = {
        LINK_ETHERNET: _ethernet,
        LINK_SLL: _sll,
        LINK_SLL2: _sll2,
        LINK_IPV4: dissect_ipv4,
        LINK_IPV6: dissect_ipv6,
    }
    return steps.get(link_type)


def _next_by_type(kind: int) -> Step | None:
    if kind in VLAN_TYPES:
        return _vlan
    if 0 < kind <= LONGEST_LLC:
        return lambda cursor, layers: _llc(cursor, layers, kind)
    steps: dict[int, Step] = {
        TYPE_IPV4: dissect_ipv4,
        TYPE_IPV6: dissect_ipv6,
        TYPE_ARP: _arp,
        TYPE_PPPOE: _pppoe,
    }
    return _mpls if kind in MPLS_TYPES else steps.get(kind)


def _by_version(cursor: Cursor) -> Step | None:
    """Return the step for IP where nothing but the packet's own first four bits name the version."""
    return {4: dissect_ipv4, 6: dissect_ipv6}.get(cursor.number(4))


def _raw(cursor: Cursor, layers: list[Field]) -> Step | None:
    return _by_version(cursor)


def _ethernet(cursor: Cursor, layers: list[Field]) -> Step | None:
    what = "Carries a frame from card to card on one link."
    made, whole = take_header(cursor, layers, ETHERNET, "Ethernet", "eth", what, "IEEE 802.3 section 3.1")
    if not whole:
        return None
    destination, source, kind = made.children
    if destination.value & 1 << 40:
        destination.meaning = "Everyone on this link (broadcast), or a group of them (multicast)."
    elif destination.value == source.value == 0:
        destination.meaning = "All zeros: the loopback interface has no cards and so no addresses."
    if 0 < kind.value <= LONGEST_LLC:
        kind.name, kind.key, kind.text = "Length", "eth.len", str(kind.value)
        kind.meaning = "Bytes behind this header: up to 1500 the field is a length, and LLC follows."
    return _next_by_type(kind.value)


def _vlan(cursor: Cursor, layers: list[Field]) -> Step | None:
    what = "Says which of several networks on one cable this is."
    made, whole = take_header(cursor, layers, VLAN, "VLAN tag", "vlan", what, "IEEE 802.1Q section 9.6")
    return _next_by_type(made.children[3].value) if whole else None


_SLL_MEANING = "Made up by Linux for its 'any' interface."


def _sll(cursor: Cursor, layers: list[Field]) -> Step | None:
    source = "LINKTYPE_LINUX_SLL"
    made, whole = take_header(cursor, layers, SLL, "Linux cooked capture", "sll", _SLL_MEANING, source)
    if whole:
        made.extend(_sll_address(cursor, made.children[2].value, source))
        protocol, whole = cursor.table((SLL_PROTOCOL,), source)
        made.extend(protocol)
    return _next_cooked(made.children[-1].value) if whole else None


def _sll2(cursor: Cursor, layers: list[Field]) -> Step | None:
    source = "LINKTYPE_LINUX_SLL2"
    made, whole = take_header(cursor, layers, SLL2, "Linux cooked capture v2", "sll", _SLL_MEANING, source)
    if whole:
        before = cursor.byte
        made.extend(_sll_address(cursor, made.children[5].value, source))
        whole = cursor.byte == before + 8
    return _next_cooked(made.children[0].value) if whole else None


def _next_cooked(kind: int) -> Step | None:
    """A cooked frame has no lengths: one small number means LLC, the others are known to Linux alone."""
    if kind == SLL_LLC:
        return lambda cursor, layers: _llc(cursor, layers, cursor.left)
    return None if kind <= LONGEST_LLC else _next_by_type(kind)


def _sll_address(cursor: Cursor, length: int, source: str) -> list[Field]:
    """Take eight bytes, ``length`` of which are an address."""
    length = min(length, 8)
    parts = []
    if length:
        key = "sll.src.eth" if length == 6 else "sll.src.other"
        parts.append(
            cursor.run(length, "Address", "The card that the frame came from.", key=key, source=source)
        )
        parts[0].text = parts[0].value.hex(":")
    if length < 8:
        meaning = "Fills the address up to eight bytes."
        parts.append(cursor.run(8 - length, "Unused", meaning, key="sll.unused", source=source))
    return parts


def _null(cursor: Cursor, layers: list[Field]) -> Step | None:
    rows = (
        Row(
            "Family", "null.family", 32, "Which protocol follows, in the byte order of the recording machine."
        ),
    )
    what = "Put before packets that never leave the machine."
    made, whole = take_header(cursor, layers, rows, "Loopback", "null", what, "LINKTYPE_NULL")
    if not whole:
        return None
    (family,) = made.children
    little = int.from_bytes(family.value.to_bytes(4, "big"), "little")
    family.value = family.value if little > 0xFFFF else little
    family.text = str(family.value)
    if family.value == FAMILY_IPV4:
        return dissect_ipv4
    return dissect_ipv6 if family.value in FAMILIES_IPV6 else None


def _llc(cursor: Cursor, layers: list[Field], length: int) -> Step | None:
    cursor.end = min(cursor.end, cursor.byte + length)
    what = "Says what follows where Ethernet has a length for a type."
    made, whole = take_header(cursor, layers, LLC, "LLC", "llc", what, "IEEE 802.2 section 3")
    saps = [one.value for one in made.children]
    if whole and saps == [0xAA, 0xAA, 3]:
        snap, whole = cursor.table(SNAP, "RFC 1042")
        made.extend(snap)
        if whole and not snap[0].value and snap[1].value > LONGEST_LLC:
            return _next_by_type(snap[1].value)
    elif whole and saps == [6, 6, 3]:
        return dissect_ipv4
    return None


def _pppoe(cursor: Cursor, layers: list[Field]) -> Step | None:
    what = "Carries a dial-up session over Ethernet."
    made, whole = take_header(cursor, layers, PPPOE, "PPPoE", "pppoe", what, "RFC 2516 section 4")
    if not whole or not cursor.left:
        return None
    cursor.end = min(cursor.end, cursor.byte + made.children[4].value)
    if not cursor.left:
        return None
    what = "Says what the session carries."
    made, whole = take_header(cursor, layers, PPP, "PPP", "ppp", what, "RFC 1661 section 2")
    return {0x21: dissect_ipv4, 0x57: dissect_ipv6}.get(made.children[0].value) if whole else None


def _mpls(cursor: Cursor, layers: list[Field]) -> Step | None:
    what = "A label by which routers switch the packet on."
    made, whole = take_header(cursor, layers, MPLS, "MPLS", "mpls", what, "RFC 3032 section 2.1")
    if not whole or not cursor.left:
        return None
    return _by_version(cursor) if made.children[2].value else _mpls


def _arp(cursor: Cursor, layers: list[Field]) -> Step | None:
    what = "Finds the card that has an IPv4 address on this link."
    made, whole = take_header(cursor, layers, ARP, "ARP", "arp", what, "RFC 826")
    if whole and (made.children[2].value, made.children[3].value) == (6, 4):
        made.extend(cursor.table(ARP_ADDRESSES, "RFC 826")[0])
    if cursor.left and cursor.end == len(cursor.data):
        cursor.end = cursor.byte  # the rest is padding of the link
    return None
