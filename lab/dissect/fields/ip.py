"""Dissect IPv4, IPv6 and what they carry (UDP, ICMP, and TCP by ``tcp``), and judge each checksum.

IPv4   RFC 791 section 3.1   version | header length | ... | ttl | protocol | checksum | addresses
IPv6   RFC 8200 section 3   version | class | flow label | ... | next header | hop limit | addresses
"""

from ipaddress import IPv4Address

from lab.dissect.fields import checksums
from lab.dissect.fields.tcp import dissect_tcp
from lab.dissect.fields.tree import Cursor, Field, Row, Step, group, in_hex, named, take_header
from lab.dissect.packets.ip_layer import FRAGMENT_HEADER, ipv6_text
from lab.dissect.packets.network_names import PROTOCOLS

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
NUMBERS = {"tcp": TCP, "udp": UDP, "icmp": ICMP, "icmpv6": ICMPV6}
AUTHENTICATION = 51

_PROTOCOL = named(PROTOCOLS)
_SERVICES = "How routers may treat the packet; 0 is best effort."
_CONGESTION = "Whether routers may mark, and marked, congestion here."
_HOPS = "Each router takes one off and drops the packet at zero: fewer than {value} can pass it on."
_FRAGMENT_ID = "Tells which fragments belong to one packet."
_MORE = "1: more fragments of this packet follow."
_SENDER, _RECEIVER = "The host that sent the packet, as it says itself.", "The host that the packet is for."
_CARRIES = "Carries a packet from host to host, across networks."


def _ipv4_text(value: int) -> str:
    return str(IPv4Address(value))


IPV4 = (
    Row("Version", "ip.version", 4, "The version of IP: 4."),
    Row("Header length", "ip.hdr_len", 4, "Length of this header in 32-bit words: 5 without options."),
    Row("Differentiated services", "ip.dsfield.dscp", 6, _SERVICES),
    Row("Congestion notification", "ip.dsfield.ecn", 2, _CONGESTION),
    Row("Total length", "ip.len", 16, "Header and payload: {value} bytes."),
    Row("Identification", "ip.id", 16, _FRAGMENT_ID, in_hex(4)),
    Row("Reserved", "ip.flags.rb", 1, "Must be zero."),
    Row(
        "Don't fragment", "ip.flags.df", 1, "1: routers must not cut this packet up, but drop and report it."
    ),
    Row("More fragments", "ip.flags.mf", 1, _MORE),
    Row("Fragment offset", "ip.frag_offset", 13, "Where this fragment belongs, in units of 8 bytes."),
    Row("Time to live", "ip.ttl", 8, _HOPS),
    Row("Protocol", "ip.proto", 8, "What the packet carries: {text}.", _PROTOCOL),
    Row("Header checksum", "ip.checksum", 16, "", in_hex(4)),
    Row("Source", "ip.src", 32, _SENDER, _ipv4_text),
    Row("Destination", "ip.dst", 32, _RECEIVER, _ipv4_text),
)
IPV6 = (
    Row("Version", "ipv6.version", 4, "The version of IP: 6."),
    Row("Differentiated services", "ipv6.tclass.dscp", 6, _SERVICES),
    Row("Congestion notification", "ipv6.tclass.ecn", 2, _CONGESTION),
    Row(
        "Flow label", "ipv6.flow", 20, "Equal in all packets of a flow, so that they take one way.", in_hex(5)
    ),
    Row("Payload length", "ipv6.plen", 16, "What follows this header: {value} bytes."),
    Row("Next header", "ipv6.nxt", 8, "What follows: {text}.", _PROTOCOL),
    Row("Hop limit", "ipv6.hlim", 8, _HOPS),
    Row("Source", "ipv6.src", 128, _SENDER, ipv6_text),
    Row("Destination", "ipv6.dst", 128, _RECEIVER, ipv6_text),
)
IP_OPTIONS = {
    0: "End of options",
    1: "No operation",
    7: "Record route",
    68: "Time stamp",
    131: "Loose source route",
}
IP_OPTIONS |= {136: "Stream identifier", 137: "Strict source route", 148: "Router alert"}
EXTENSIONS = {0: "Hop-by-hop options", 43: "Routing", 60: "Destination options", 135: "Mobility"}
EXTENSIONS |= {139: "Host identity", 140: "Shim6", AUTHENTICATION: "Authentication"}
EXTENSION = (
    Row("Next header", "", 8, "What follows: {text}.", _PROTOCOL),
    Row("Length", "", 8, "Of this header: {value} units behind the first (8 bytes; 4 for authentication)."),
)
FRAGMENT = (
    Row("Next header", "ipv6.fraghdr.nxt", 8, "What follows: {text}.", _PROTOCOL),
    Row("Reserved", "ipv6.fraghdr.reserved_octet", 8, "Must be zero."),
    Row("Fragment offset", "ipv6.fraghdr.offset", 13, "Where this fragment belongs, in units of 8 bytes."),
    Row("Reserved", "ipv6.fraghdr.reserved_bits", 2, "Must be zero."),
    Row("More fragments", "ipv6.fraghdr.more", 1, _MORE),
    Row("Identification", "ipv6.fraghdr.ident", 32, _FRAGMENT_ID, in_hex(8)),
)
UDP_HEADER = (
    Row("Source port", "udp.srcport", 16, "The sender's end."),
    Row("Destination port", "udp.dstport", 16, "The receiver's end."),
    Row("Length", "udp.length", 16, "Header and payload: {value} bytes."),
    Row("Checksum", "udp.checksum", 16, "", in_hex(4)),
)
_UNREACHABLE, _EXCEEDED = "destination unreachable", "time exceeded"
ICMP_TYPES = {0: "echo reply", 3: _UNREACHABLE, 5: "redirect", 8: "echo request", 11: _EXCEEDED}
ICMPV6_TYPES = {1: _UNREACHABLE, 2: "packet too big", 3: _EXCEEDED, 128: "echo request", 129: "echo reply"}
ICMPV6_TYPES |= {133: "router solicitation", 134: "router advertisement"}
ICMPV6_TYPES |= {135: "neighbour solicitation", 136: "neighbour advertisement"}


def dissect_ipv4(cursor: Cursor, layers: list[Field]) -> Step | None:
    """Take an IPv4 header and its options; return the step for what it carries."""
    first, source = cursor.byte, "RFC 791 section 3.1"
    if cursor.number(4) != 4:
        return None
    made, whole = take_header(cursor, layers, IPV4, "IPv4", "ip", _CARRIES, source)
    header = made.get("ip.hdr_len", 0) * 4 if whole else 0
    if header > 20 and (options := _ip_options(cursor.until(first + header), source)):
        made.extend([group("Options", options, key="ip.options", source=source)])
        cursor.bit = made.bit_start + made.bit_length
    for checksum in made.children:
        if checksum.key == "ip.checksum":
            is_whole = header >= 20 and first + header <= cursor.end
            checksums.judge(
                checksum, "this header only", cursor.data[first : first + header] if is_whole else None
            )
    if whole and header < 20:
        made.find("ip.hdr_len").meaning += " Less than 5 cannot be: what follows cannot be placed."
    if header < 20:
        return None
    total = made.get("ip.len")
    if total >= header:
        cursor.end = min(cursor.end, first + total)
    if made.get("ip.frag_offset"):
        return None  # a later fragment: the header of its payload is in the first one
    return _transport(made.get("ip.proto"), not made.get("ip.flags.mf"))


def _ip_options(cursor: Cursor, source: str) -> list[Field]:
    options: list[Field] = []
    while cursor.left:
        kind = cursor.number(8)
        name = IP_OPTIONS.get(kind, f"Option {kind}")
        length = cursor.data[cursor.byte + 1] if cursor.left >= 2 else 0
        if kind == 0:
            options.append(cursor.rest(name, "Ends the list; the rest fills up to 32 bits.", source=source))
        elif kind == 1:
            options.append(cursor.run(1, name, "Padding between options.", source=source))
        elif length < 2 or length > cursor.left:
            meaning = f"It claims {length} bytes, which cannot be."
            options.append(cursor.rest("Broken option", meaning, source=source))
        else:
            options.append(cursor.run(length, name, "An option of the IP header.", source=source))
    return options


def dissect_ipv6(cursor: Cursor, layers: list[Field]) -> Step | None:
    """Take an IPv6 header; return the step for what follows, an extension header too."""
    first = cursor.byte
    if cursor.number(4) != 6:
        return None
    made, whole = take_header(cursor, layers, IPV6, "IPv6", "ipv6", _CARRIES, "RFC 8200 section 3")
    if not whole:
        return None
    cursor.end = min(cursor.end, first + 40 + made.get("ipv6.plen"))
    return _transport(made.get("ipv6.nxt"), True)


def _extension(cursor: Cursor, layers: list[Field], kind: int) -> Step | None:
    start, name, what = cursor.byte, f"IPv6 {EXTENSIONS[kind]}", "An extension of the IPv6 header."
    made, whole = take_header(cursor, layers, EXTENSION, name, "", what, "RFC 8200 section 4")
    if not whole:
        return None
    units = made.children[1].value
    size = (units + 2) * 4 if kind == AUTHENTICATION else (units + 1) * 8
    made.extend([cursor.run(size - 2, "Contents", "The options or addresses of this header.")])
    return _transport(made.children[0].value, True) if cursor.byte == start + size else None


def _fragment(cursor: Cursor, layers: list[Field]) -> Step | None:
    what, source = "This packet was cut up by its sender.", "RFC 8200 section 4.5"
    made, whole = take_header(cursor, layers, FRAGMENT, "IPv6 Fragment", "ipv6.fraghdr", what, source)
    if not whole or made.children[2].value:
        return None
    return _transport(made.children[0].value, not made.children[4].value)


def _transport(protocol: int, whole: bool) -> Step | None:
    """Return the step for a protocol; a first fragment is not ``whole``: its checksum cannot be judged."""
    if protocol == TCP:
        return lambda cursor, layers: _tcp(cursor, layers, whole)
    if protocol == UDP:
        return lambda cursor, layers: _udp(cursor, layers, whole)
    if protocol in (ICMP, ICMPV6):
        return lambda cursor, layers: _icmp(cursor, layers, protocol == ICMPV6, whole)
    if protocol == FRAGMENT_HEADER:
        return _fragment
    return (lambda cursor, layers: _extension(cursor, layers, protocol)) if protocol in EXTENSIONS else None


def _judge(cursor: Cursor, layers: list[Field], checksum: Field, first: int, whole: bool) -> None:
    """Judge a checksum of what begins at byte ``first``; it covers the IP addresses too, except ICMP's."""
    number = NUMBERS[checksum.key.split(".")[0]]
    protects = "the message" if number == ICMP else "header, payload and addresses"
    network = next((one for one in reversed(layers) if one.key in ("ip", "ipv6")), None)
    if network is None or not whole or not network.children:
        return checksums.judge(checksum, protects, None)
    size, total = (4, network.get("ip.len")) if network.key == "ip" else (16, network.get("ipv6.plen") + 40)
    if total and network.start + total != cursor.end:
        return checksums.judge(checksum, protects, None)
    source, destination = (
        network.get(f"{network.key}.{end}").to_bytes(size, "big") for end in ("src", "dst")
    )
    covered = cursor.data[first : cursor.end]
    pseudo = b"" if number == ICMP else checksums.pseudo_header(source, destination, number, len(covered))
    return checksums.judge(checksum, protects, covered, pseudo)


def _tcp(cursor: Cursor, layers: list[Field], whole: bool) -> None:
    first = cursor.byte
    made, checksum = dissect_tcp(cursor)
    if checksum is not None:
        _judge(cursor, layers, checksum, first, whole)
    layers.append(made)


def _udp(cursor: Cursor, layers: list[Field], whole: bool) -> None:
    first, what = cursor.byte, "Single messages, without any promise."
    made, complete = take_header(cursor, layers, UDP_HEADER, "UDP", "udp", what, "RFC 768")
    checksum = made.children[-1]
    if complete and checksum.value:
        _judge(cursor, layers, checksum, first, whole)
    elif complete:
        checksum.meaning = "Zero: the sender did not compute one."


def _icmp(cursor: Cursor, layers: list[Field], version_6: bool, whole: bool) -> None:
    first, name = cursor.byte, "ICMPv6" if version_6 else "ICMP"
    key, types, source = name.lower(), ICMP_TYPES, "RFC 792"
    identifier, sequence = "icmp.ident", "icmp.seq"
    if version_6:
        types, source = ICMPV6_TYPES, "RFC 4443 section 2.1"
        identifier, sequence = "icmpv6.echo.identifier", "icmpv6.echo.sequence_number"
    rows = (
        Row("Type", f"{key}.type", 8, "What this message says: {text}.", named(types)),
        Row("Code", f"{key}.code", 8, "The type in detail."),
        Row("Checksum", f"{key}.checksum", 16, "", in_hex(4)),
    )
    made, complete = take_header(cursor, layers, rows, name, key, "Messages about IP itself.", source)
    if not complete:
        return
    _judge(cursor, layers, made.children[2], first, whole)
    echo = types.get(made.children[0].value, "").startswith("echo")
    if echo and cursor.left >= 4:
        names = (
            Row("Identifier", identifier, 16, "Which ping this is."),
            Row("Sequence", sequence, 16, "The number of this echo."),
        )
        made.extend(cursor.table(names, source)[0])
    if cursor.left:
        rest = ("Data", "What is to be echoed.") if echo else ("Message", "As the type defines it.")
        made.extend([cursor.rest(*rest)])
