"""One frame, every bit of it named and explained.

    dissect_frame(bytes) -> frame
        Ethernet   destination | source | type
        IPv4       version | header length | ... | checksum, computed and judged | source | destination
        TCP        source port | ... | flags, one by one | ... | options, one by one
        TLS or the application's own, or data

Wireshark's middle pane, with a sentence beside each field. The tables below follow the diagrams of the
RFCs; what a layer cannot make sense of it leaves to a "Data" leaf, so that no byte goes missing. The
application on top is not known here: pass a function as ``application`` that names the parts of a payload
(see ``dissect_frame``).

Each frame stands alone: relative sequence numbers and streams are the business of ``segments`` and ``flows``.
"""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from typing import NamedTuple

from lab.dissect.fields import checksums
from lab.dissect.fields.links import dissect_llc, dissect_mpls, dissect_pppoe
from lab.dissect.fields.tcp import dissect_tcp
from lab.dissect.fields.tls import dissect_tls, looks_like_tls
from lab.dissect.fields.tree import Cursor, Field, Layer, Row, group, layer
from lab.dissect.packets.ip_layer import ipv6_text
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
from lab.dissect.packets.network_names import ETHER_TYPES, PROTOCOLS

__all__ = ["Field", "Layer", "Part", "dissect_frame"]

TYPE_ARP = 0x0806
ICMP, IGMP, TCP, UDP, ICMPV6 = 1, 2, 6, 17, 58
MOST_LAYERS = 64  # headers in a row; a frame with more ends in a data leaf


class Part(NamedTuple):
    """A named part of an application's payload, for the ``application`` function of ``dissect_frame``."""

    name: str
    length: int  # bytes
    text: str = ""
    meaning: str = ""
    source: str = ""
    parts: tuple["Part", ...] = ()


Application = Callable[[bytes, int, int], tuple[str, Iterable[Part]] | None]


def dissect_frame(frame: bytes, link_type: int = 1, application: Application | None = None) -> Field:
    """The tree of FRAME (the captured bytes). Its children are the layers, outermost first.

    APPLICATION(payload, source port, destination port) is asked about a TCP or UDP payload that is not TLS;
    it gives (layer name, parts in order) or None. Parts that do not fill the payload leave a data leaf
    behind them. Never raises for bytes that make no sense: they become leaves that say so.
    """
    data = bytes(frame)
    layers: list[Field] = []
    cursor = Cursor(data, 0, len(data))
    step = _link_layer(link_type)
    while step is not None and cursor.left and len(layers) < MOST_LAYERS:
        step = step(cursor, layers)
    if layers and layers[-1].key in ("tcp", "udp") and cursor.left:
        _payload(cursor, layers, application)
    if cursor.left:
        layers.append(_data_layer(cursor))
    cursor.end = len(data)
    if cursor.left:  # behind the length that the IP header gives
        meaning = (
            "Bytes behind the packet: an Ethernet frame carries at least 46, short packets are filled up."
        )
        padding = cursor.rest("Padding", meaning, key="eth.padding", source="IEEE 802.3 section 3.2.8")
        layers.append(layer("Padding", "", padding.bit_start, [padding]))
    text = f"{len(data)} bytes"
    return Field(
        "Frame", 0, len(data) * 8, None, text, "What the recorder kept of one frame.", "", "frame", "", layers
    )


def _data_layer(cursor: Cursor) -> Layer:
    data = cursor.rest("Data", "Bytes that no layer above explains.", key="data.data")
    return layer("Data", "data", data.bit_start, [data], text=f"{data.length} bytes")


def _payload(cursor: Cursor, layers: list[Field], application: Application | None) -> None:
    transport = layers[-1]
    payload = cursor.data[cursor.byte : cursor.end]
    if transport.key == "tcp" and looks_like_tls(payload):
        layers.append(dissect_tls(cursor))
        return
    sport, dport = transport.get(f"{transport.key}.srcport", 0), transport.get(f"{transport.key}.dstport", 0)
    told = application(payload, sport, dport) if application else None
    if told is not None:
        name, parts = told
        start = cursor.bit
        fields = [_part_field(cursor, part) for part in parts if cursor.left]
        if cursor.left:
            fields.append(cursor.rest("Data", "Bytes that the application did not name."))
        layers.append(layer(name, "", start, fields))


def _part_field(cursor: Cursor, part: Part) -> Field:
    end, cursor.end = cursor.end, min(cursor.end, cursor.byte + max(part.length, 1))
    if part.parts:
        children = [_part_field(cursor, inner) for inner in part.parts if cursor.left]
        if cursor.left:
            children.append(cursor.rest("Data"))
        made = group(part.name, children, part.text, part.meaning, source=part.source)
    else:
        made = cursor.rest(part.name, part.meaning, source=part.source)
        made.text = part.text or made.text
    cursor.end = end
    return made


# --- links ---


def _mac(value: int) -> str:
    return value.to_bytes(6, "big").hex(":")


def _hex(digits: int) -> Callable[[int], str]:
    return lambda value: f"0x{value:0{digits}x}"


def _named(names: dict[int, str], digits: int = 0) -> Callable[[int], str]:
    def show(value: int) -> str:
        plain = f"0x{value:0{digits}x}" if digits else str(value)
        return f"{plain} ({names[value]})" if value in names else plain

    return show


_ETHER_TYPE = _named(ETHER_TYPES, 4)
_TYPE_MEANING = "What follows: {text}; values up to 1500 are a length instead."
ETHERNET = (
    Row("Destination", "eth.dst", 48, "The network card that this frame is for on this link.", _mac),
    Row(
        "Source", "eth.src", 48, "The network card that put the frame on this link; routers change it.", _mac
    ),
    Row("Type", "eth.type", 16, _TYPE_MEANING, _ETHER_TYPE),
)
VLAN = (
    Row("Priority", "vlan.priority", 3, "How urgent the frame is, 0 to 7."),
    Row("Drop eligible", "vlan.dei", 1, "1: this frame may be dropped first when a link is full."),
    Row("VLAN", "vlan.id", 12, "The number of the virtual network, here {value}."),
    Row("Type", "vlan.etype", 16, _TYPE_MEANING, _ETHER_TYPE),
)
SLL = (
    Row(
        "Packet type", "sll.pkttype", 16, "0 to us, 1 broadcast, 2 multicast, 3 between others, 4 sent by us."
    ),
    Row("Hardware type", "sll.hatype", 16, "The kind of device, as ARP numbers them; 1 is Ethernet."),
    Row("Address length", "sll.halen", 16, "How many of the next eight bytes are the sender's address."),
)
SLL2 = (
    Row("Protocol", "sll.etype", 16, _TYPE_MEANING, _ETHER_TYPE),
    Row("Reserved", "", 16, "Must be zero."),
    Row("Interface", "sll.ifindex", 32, "The number of the interface that the frame came through."),
    Row("Hardware type", "sll.hatype", 16, "The kind of device, as ARP numbers them; 1 is Ethernet."),
    Row(
        "Packet type", "sll.pkttype", 8, "0 to us, 1 broadcast, 2 multicast, 3 between others, 4 sent by us."
    ),
    Row("Address length", "sll.halen", 8, "How many of the next eight bytes are the sender's address."),
)
SLL_PROTOCOL = (Row("Protocol", "sll.etype", 16, _TYPE_MEANING, _ETHER_TYPE),)


def _link_layer(link_type: int):
    if link_type in (LINK_NULL, LINK_LOOP):
        return _null
    if link_type in RAW_LINKS:
        return _raw
    return {
        LINK_ETHERNET: _ethernet,
        LINK_SLL: _sll,
        LINK_SLL2: _sll2,
        LINK_IPV4: _ipv4,
        LINK_IPV6: _ipv6,
    }.get(link_type)


def _next_by_type(kind: int):
    if kind in VLAN_TYPES:
        return _vlan
    if 0 < kind <= LONGEST_LLC:
        return lambda cursor, layers: _llc(cursor, layers, kind)
    if kind == TYPE_PPPOE:
        return lambda cursor, layers: _next_by_type(dissect_pppoe(cursor, layers))
    if kind in MPLS_TYPES:
        return lambda cursor, layers: _next_by_type(dissect_mpls(cursor, layers))
    return {TYPE_IPV4: _ipv4, TYPE_IPV6: _ipv6, TYPE_ARP: _arp}.get(kind)


def _llc(cursor: Cursor, layers: list[Field], length: int):
    cursor.end = min(cursor.end, cursor.byte + length)
    return _next_by_type(dissect_llc(cursor, layers))


def _ethernet(cursor: Cursor, layers: list[Field]):
    start = cursor.bit
    fields, whole = cursor.table(ETHERNET, "IEEE 802.3 section 3.1")
    layers.append(layer("Ethernet", "eth", start, fields, "Carries a frame from card to card on one link."))
    if not whole:
        return None
    if fields[0].value & 1 << 40:
        fields[0].meaning = "Everyone on this link (broadcast), or a group of them (multicast)."
    elif fields[0].value == fields[1].value == 0:
        fields[0].meaning = "All zeros: the loopback interface has no cards and so no addresses."
    if 0 < fields[2].value <= LONGEST_LLC:
        fields[2].name, fields[2].key, fields[2].text = "Length", "eth.len", str(fields[2].value)
        fields[2].meaning = "Bytes behind this header: up to 1500 the field is a length, and LLC follows."
    return _next_by_type(fields[2].value)


def _vlan(cursor: Cursor, layers: list[Field]):
    start = cursor.bit
    fields, whole = cursor.table(VLAN, "IEEE 802.1Q section 9.6")
    layers.append(
        layer("VLAN tag", "vlan", start, fields, "Says which of several networks on one cable this is.")
    )
    return _next_by_type(fields[3].value) if whole else None


def _sll(cursor: Cursor, layers: list[Field]):
    start, source = cursor.bit, "LINKTYPE_LINUX_SLL"
    fields, whole = cursor.table(SLL, source)
    if whole:
        fields += _sll_address(cursor, fields[2].value, source)
        protocol, whole = cursor.table(SLL_PROTOCOL, source)
        fields += protocol
    layers.append(layer("Linux cooked capture", "sll", start, fields, _SLL_MEANING))
    return _next_cooked(fields[-1].value) if whole else None


def _sll2(cursor: Cursor, layers: list[Field]):
    start, source = cursor.bit, "LINKTYPE_LINUX_SLL2"
    fields, whole = cursor.table(SLL2, source)
    if whole:
        before = cursor.byte
        fields += _sll_address(cursor, fields[5].value, source)
        whole = cursor.byte == before + 8
    layers.append(layer("Linux cooked capture v2", "sll", start, fields, _SLL_MEANING))
    return _next_cooked(fields[0].value) if whole else None


def _next_cooked(kind: int):
    """A cooked frame has no lengths: one small number means LLC, the others mean what only Linux knows."""
    if kind == SLL_LLC:
        return lambda cursor, layers: _llc(cursor, layers, cursor.left)
    return None if kind <= LONGEST_LLC else _next_by_type(kind)


_SLL_MEANING = "Made up by Linux for its 'any' interface."


def _sll_address(cursor: Cursor, length: int, source: str) -> list[Field]:
    """Eight bytes, LENGTH of which are an address."""
    length = min(length, 8)
    key = "sll.src.eth" if length == 6 else "sll.src.other"
    parts = []
    if length:
        meaning = "The card that the frame came from."
        parts.append(
            cursor.run(length, "Address", meaning, key=key, source=source, show=lambda value: value.hex(":"))
        )
    if length < 8:
        meaning = "Fills the address up to eight bytes."
        parts.append(cursor.run(8 - length, "Unused", meaning, key="sll.unused", source=source))
    return parts


def _null(cursor: Cursor, layers: list[Field]):
    start = cursor.bit
    family = cursor.run(4, "Family", "Which protocol follows, in the byte order of the recording machine.")
    family.key, family.source = "null.family", "LINKTYPE_NULL"
    value = int.from_bytes(family.value, "little")
    value = int.from_bytes(family.value, "big") if value > 0xFFFF else value
    family.value, family.text = value, str(value)
    layers.append(
        layer("Loopback", "null", start, [family], "Put before packets that never leave the machine.")
    )
    return _ipv4 if value == FAMILY_IPV4 else _ipv6 if value in FAMILIES_IPV6 else None


def _raw(cursor: Cursor, layers: list[Field]):
    return {4: _ipv4, 6: _ipv6}.get(cursor.number(4))


# --- ARP ---

_IPV4_MEANING = "An IPv4 address."


def _ipv4_text(value: int) -> str:
    return str(IPv4Address(value))


ARP = (
    Row("Hardware type", "arp.hw.type", 16, "The kind of link: {text}.", _named({1: "Ethernet"})),
    Row("Protocol type", "arp.proto.type", 16, "The kind of address asked about: {text}.", _ETHER_TYPE),
    Row("Hardware size", "arp.hw.size", 8, "Bytes of a link address."),
    Row("Protocol size", "arp.proto.size", 8, "Bytes of a network address."),
    Row(
        "Opcode",
        "arp.opcode",
        16,
        "1 asks who has an address, 2 answers: {text}.",
        _named({1: "request", 2: "reply"}),
    ),
)
ARP_ADDRESSES = (
    Row("Sender's MAC", "arp.src.hw_mac", 48, "The card of the one who sends this.", _mac),
    Row("Sender's IP", "arp.src.proto_ipv4", 32, "The address of the one who sends this.", _ipv4_text),
    Row(
        "Target's MAC",
        "arp.dst.hw_mac",
        48,
        "The card asked for: zeros in a request, for that is the question.",
        _mac,
    ),
    Row("Target's IP", "arp.dst.proto_ipv4", 32, "The address whose card is asked for.", _ipv4_text),
)


def _arp(cursor: Cursor, layers: list[Field]):
    start = cursor.bit
    fields, whole = cursor.table(ARP, "RFC 826")
    if whole and (fields[2].value, fields[3].value) == (6, 4):
        fields += cursor.table(ARP_ADDRESSES, "RFC 826")[0]
    layers.append(layer("ARP", "arp", start, fields, "Finds the card that has an IPv4 address on this link."))
    if cursor.left and cursor.end == len(cursor.data):
        cursor.end = cursor.byte  # the rest is padding of the link
    return None


# --- IPv4 ---

_PROTOCOL = _named(PROTOCOLS)
IPV4 = (
    Row("Version", "ip.version", 4, "The version of IP: 4."),
    Row("Header length", "ip.hdr_len", 4, "Length of this header in 32-bit words: 5 without options."),
    Row(
        "Differentiated services", "ip.dsfield.dscp", 6, "How routers may treat the packet; 0 is best effort."
    ),
    Row(
        "Congestion notification",
        "ip.dsfield.ecn",
        2,
        "Whether routers may mark, and marked, congestion here.",
    ),
    Row("Total length", "ip.len", 16, "Header and payload: {value} bytes."),
    Row("Identification", "ip.id", 16, "Tells which fragments belong to one packet.", _hex(4)),
    Row("Reserved", "ip.flags.rb", 1, "Must be zero."),
    Row(
        "Don't fragment",
        "ip.flags.df",
        1,
        "1: routers must not cut this packet up, but drop it and tell the sender.",
    ),
    Row("More fragments", "ip.flags.mf", 1, "1: more fragments of this packet follow."),
    Row(
        "Fragment offset",
        "ip.frag_offset",
        13,
        "Where this fragment belongs in the packet, in units of 8 bytes.",
    ),
    Row(
        "Time to live",
        "ip.ttl",
        8,
        "At most {value} more routers: each takes one off, at zero the packet is dropped.",
    ),
    Row("Protocol", "ip.proto", 8, "What the packet carries: {text}.", _PROTOCOL),
    Row("Header checksum", "ip.checksum", 16, "", _hex(4)),
    Row("Source", "ip.src", 32, "The host that sent the packet, as it says itself.", _ipv4_text),
    Row("Destination", "ip.dst", 32, "The host that the packet is for.", _ipv4_text),
)


def _ipv4(cursor: Cursor, layers: list[Field]):
    first = cursor.byte
    if cursor.number(4) != 4:
        return None
    fields, whole = cursor.table(IPV4, "RFC 791 section 3.1")
    made = layer("IPv4", "ip", first * 8, fields, "Carries a packet from host to host, across networks.")
    layers.append(made)
    if not whole:
        for one in fields:
            if one.key == "ip.checksum":
                _judge_ipv4(cursor, one, first, 0)
        return None
    header = fields[1].value * 4
    total, offset, protocol, checksum = fields[4].value, fields[9].value, fields[11].value, fields[12]
    if header > 20:
        options = _ip_options(Cursor(cursor.data, cursor.byte, min(cursor.end, first + header)))
        if options:
            fields.append(group("Options", options, key="ip.options", source="RFC 791 section 3.1"))
            cursor.bit = options[-1].bit_start + options[-1].bit_length
            made.bit_length = cursor.bit - made.bit_start
    _judge_ipv4(cursor, checksum, first, header)
    if header < 20:
        fields[1].meaning += " Less than 5 cannot be: what follows cannot be placed."
        return None
    if total >= header:
        cursor.end = min(cursor.end, first + total)
    if offset:
        return None  # a later fragment: the header of what it carries is in the first one
    return _transport(protocol, not fields[8].value)


def _judge_ipv4(cursor: Cursor, checksum: Field, first: int, header: int) -> None:
    if header < 20 or first + header > cursor.end:
        judge_field(checksum, None)
    else:
        judge_field(checksum, checksums.judge(cursor.data[first : first + header], checksum.value))
    checksum.meaning = f"Protects this header only: {checksum.meaning}"


def judge_field(checksum: Field, result: tuple[str, int] | None) -> None:
    """Write what checksums.judge() found into the field: its judgement and its meaning."""
    if result is None:
        checksum.judgement = checksums.NOT_JUDGED
        checksum.meaning = "not all of what it covers was captured, so it cannot be judged."
        return
    checksum.judgement, should_be = result
    checksum.meaning = {
        checksums.RIGHT: "computed again, it is right.",
        checksums.WRONG: f"computed again, it should be 0x{should_be:04x}: the bytes were changed underway.",
        checksums.OFFLOADED: f"not filled in yet; the network card does that (it will be 0x{should_be:04x}).",
    }[checksum.judgement]


IP_OPTIONS = {
    0: "End of options",
    1: "No operation",
    7: "Record route",
    68: "Time stamp",
    131: "Loose source route",
}
IP_OPTIONS |= {136: "Stream identifier", 137: "Strict source route", 148: "Router alert"}


def _ip_options(cursor: Cursor) -> list[Field]:
    options, source = [], "RFC 791 section 3.1"
    while cursor.left:
        kind = cursor.number(8)
        name = IP_OPTIONS.get(kind, f"Option {kind}")
        if kind == 0:
            options.append(cursor.rest(name, "Ends the list; the rest fills up to 32 bits.", source=source))
            break
        if kind == 1:
            options.append(cursor.run(1, name, "Padding between options.", source=source))
            continue
        length = cursor.data[cursor.byte + 1] if cursor.left >= 2 else 0
        if length < 2 or length > cursor.left:
            options.append(
                cursor.rest("Broken option", f"It claims {length} bytes, which cannot be.", source=source)
            )
            break
        options.append(cursor.run(length, name, "An option of the IP header.", source=source))
    return options


# --- IPv6 ---


IPV6 = (
    Row("Version", "ipv6.version", 4, "The version of IP: 6."),
    Row(
        "Differentiated services",
        "ipv6.tclass.dscp",
        6,
        "How routers may treat the packet; 0 is best effort.",
    ),
    Row(
        "Congestion notification",
        "ipv6.tclass.ecn",
        2,
        "Whether routers may mark, and marked, congestion here.",
    ),
    Row(
        "Flow label",
        "ipv6.flow",
        20,
        "The same for all packets of a flow, so that they can take one way.",
        _hex(5),
    ),
    Row("Payload length", "ipv6.plen", 16, "What follows this header: {value} bytes."),
    Row("Next header", "ipv6.nxt", 8, "What follows: {text}.", _PROTOCOL),
    Row(
        "Hop limit",
        "ipv6.hlim",
        8,
        "At most {value} more routers: each takes one off, at zero the packet is dropped.",
    ),
    Row("Source", "ipv6.src", 128, "The host that sent the packet, as it says itself.", ipv6_text),
    Row("Destination", "ipv6.dst", 128, "The host that the packet is for.", ipv6_text),
)
EXTENSIONS = {0: "Hop-by-hop options", 43: "Routing", 60: "Destination options", 135: "Mobility"}
EXTENSIONS |= {139: "Host identity", 140: "Shim6", 51: "Authentication"}
EXTENSION = (
    Row("Next header", "", 8, "What follows: {text}.", _PROTOCOL),
    Row("Length", "", 8, "Of this header: {value} units behind the first (8 bytes; 4 for authentication)."),
)
FRAGMENT = (
    Row("Next header", "ipv6.fraghdr.nxt", 8, "What follows: {text}.", _PROTOCOL),
    Row("Reserved", "ipv6.fraghdr.reserved_octet", 8, "Must be zero."),
    Row("Fragment offset", "ipv6.fraghdr.offset", 13, "Where this fragment belongs, in units of 8 bytes."),
    Row("Reserved", "ipv6.fraghdr.reserved_bits", 2, "Must be zero."),
    Row("More fragments", "ipv6.fraghdr.more", 1, "1: more fragments of this packet follow."),
    Row("Identification", "ipv6.fraghdr.ident", 32, "Tells which fragments belong to one packet.", _hex(8)),
)


def _ipv6(cursor: Cursor, layers: list[Field]):
    first = cursor.byte
    if cursor.number(4) != 6:
        return None
    fields, whole = cursor.table(IPV6, "RFC 8200 section 3")
    layers.append(
        layer("IPv6", "ipv6", first * 8, fields, "Carries a packet from host to host, across networks.")
    )
    if not whole:
        return None
    cursor.end = min(cursor.end, first + 40 + fields[4].value)
    return _transport(fields[5].value, True)


def _extension(kind: int):
    def dissect(cursor: Cursor, layers: list[Field]):
        start = cursor.bit
        fields, whole = cursor.table(EXTENSION, "RFC 8200 section 4")
        name = EXTENSIONS[kind]
        if whole:
            units = fields[1].value
            size = (units + 2) * 4 if kind == 51 else (units + 1) * 8
            if size > 2:
                fields.append(cursor.run(size - 2, "Contents", "The options or addresses of this header."))
            whole = cursor.byte == start // 8 + size
        layers.append(layer(f"IPv6 {name}", "", start, fields, "An extension of the IPv6 header."))
        return _transport(fields[0].value, True) if whole else None

    return dissect


def _fragment(cursor: Cursor, layers: list[Field]):
    start = cursor.bit
    fields, whole = cursor.table(FRAGMENT, "RFC 8200 section 4.5")
    layers.append(
        layer("IPv6 Fragment", "ipv6.fraghdr", start, fields, "This packet was cut up by its sender.")
    )
    if not whole or fields[2].value:
        return None
    return _transport(fields[0].value, not fields[4].value)


# --- what IP carries ---


def _transport(protocol: int, whole: bool):
    """The step for PROTOCOL; WHOLE is False for a first fragment, whose checksum cannot be judged."""
    if protocol == TCP:
        return lambda cursor, layers: _tcp(cursor, layers, whole)
    if protocol == UDP:
        return lambda cursor, layers: _udp(cursor, layers, whole)
    if protocol in (ICMP, ICMPV6):
        return lambda cursor, layers: _icmp(cursor, layers, protocol, whole)
    if protocol == 44:
        return _fragment
    return _extension(protocol) if protocol in EXTENSIONS else None


def _judge_with_addresses(
    cursor: Cursor, layers: list[Field], checksum: Field, first: int, whole: bool
) -> None:
    """Judge a checksum that covers the IP addresses too, of what begins at byte FIRST."""
    network = next((one for one in reversed(layers) if one.key in ("ip", "ipv6")), None)
    if network is None or not whole or not network.children:
        return judge_field(checksum, None)
    size = {"ip": 4, "ipv6": 16}[network.key]
    source, destination = (
        network.get(f"{network.key}.{end}").to_bytes(size, "big") for end in ("src", "dst")
    )
    total = network.get("ip.len") if network.key == "ip" else network.get("ipv6.plen") + 40
    covered = cursor.data[first : cursor.end]
    if network.start + total != cursor.end and total:
        return judge_field(checksum, None)
    number = {"tcp": TCP, "udp": UDP, "icmp": ICMP, "icmpv6": ICMPV6}[checksum.key.split(".")[0]]
    pseudo = b"" if number == ICMP else checksums.pseudo_header(source, destination, number, len(covered))
    return judge_field(checksum, checksums.judge(covered, checksum.value, pseudo))


def _tcp(cursor: Cursor, layers: list[Field], whole: bool):
    first = cursor.byte
    made, checksum = dissect_tcp(cursor)
    if checksum is not None:
        _judge_with_addresses(cursor, layers, checksum, first, whole)
        checksum.meaning = f"Protects header, payload and addresses: {checksum.meaning}"
    layers.append(made)
    return None


UDP_HEADER = (
    Row("Source port", "udp.srcport", 16, "The sender's end."),
    Row("Destination port", "udp.dstport", 16, "The receiver's end."),
    Row("Length", "udp.length", 16, "Header and payload: {value} bytes."),
    Row("Checksum", "udp.checksum", 16, "", _hex(4)),
)


def _udp(cursor: Cursor, layers: list[Field], whole: bool):
    first = cursor.byte
    fields, complete = cursor.table(UDP_HEADER, "RFC 768")
    if complete and fields[3].value:
        _judge_with_addresses(cursor, layers, fields[3], first, whole)
    elif complete:
        fields[3].meaning = "Zero: the sender did not compute one."
    layers.append(layer("UDP", "udp", first * 8, fields, "Single messages, without any promise."))
    return None


ICMP_TYPES = {
    0: "echo reply",
    3: "destination unreachable",
    5: "redirect",
    8: "echo request",
    11: "time exceeded",
}
ICMPV6_TYPES = {1: "destination unreachable", 2: "packet too big", 3: "time exceeded", 128: "echo request"}
ICMPV6_TYPES |= {129: "echo reply", 133: "router solicitation", 134: "router advertisement"}
ICMPV6_TYPES |= {135: "neighbour solicitation", 136: "neighbour advertisement"}


def _icmp(cursor: Cursor, layers: list[Field], protocol: int, whole: bool):
    first, version6 = cursor.byte, protocol == ICMPV6
    key = "icmpv6" if version6 else "icmp"
    source = "RFC 4443 section 2.1" if version6 else "RFC 792"
    types = ICMPV6_TYPES if version6 else ICMP_TYPES
    fields, complete = cursor.table(
        (
            Row("Type", f"{key}.type", 8, "What this message says: {text}.", _named(types)),
            Row("Code", f"{key}.code", 8, "The type in detail."),
            Row("Checksum", f"{key}.checksum", 16, "", _hex(4)),
        ),
        source,
    )
    if complete:
        _judge_with_addresses(cursor, layers, fields[2], first, whole)
        echo = fields[0].value in ((128, 129) if version6 else (0, 8))
        if echo and cursor.left >= 4:
            prefix = f"{key}.echo." if version6 else f"{key}."
            sequence = f"{prefix}sequence_number" if version6 else "icmp.seq"
            fields += cursor.table(
                (
                    Row(
                        "Identifier",
                        f"{prefix}identifier" if version6 else "icmp.ident",
                        16,
                        "Which ping this is.",
                    ),
                    Row("Sequence", sequence, 16, "The number of this echo."),
                ),
                source,
            )[0]
        if cursor.left:
            what = "Data" if echo else "Message"
            fields.append(cursor.rest(what, "What is to be echoed." if echo else "As the type defines it."))
    layers.append(
        layer("ICMPv6" if version6 else "ICMP", key, first * 8, fields, "Messages about IP itself.")
    )
    return None
