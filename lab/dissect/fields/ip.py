"""Dissect IPv4, IPv6 and what they carry (UDP, ICMP, and TCP by ``tcp``), and judge each checksum.

IPv4   RFC 791 section 3.1   version | header length | ... | ttl | protocol | checksum | addresses
IPv6   RFC 8200 section 3   version | class | flow label | ... | next header | hop limit | addresses
"""

from functools import partial

from lab.dissect.fields import checksums
from lab.dissect.fields.options import take_options
from lab.dissect.fields.tcp import dissect_tcp
from lab.dissect.fields.tree import Cursor, Field, Row, Step, Table, group, in_hex, named, take_header
from lab.dissect.packets import ip_layer
from lab.dissect.packets.ip_layer import ipv4_text, ipv6_text
from lab.dissect.packets.network_names import ICMP_TYPES, ICMPV6_TYPES, IP_EXTENSIONS, IP_OPTIONS, PROTOCOLS

_PROTOCOL = named(PROTOCOLS)
HOPS = "Each router takes one off and drops the packet at zero: fewer than {value} can pass it on."
_WHOLE = "1: routers must not cut this packet up, but drop and report it."
_FLOW = "Equal in all packets of a flow, so that they take one way."
_SERVICES = "How routers may treat the packet; 0 is best effort."
_CONGESTION = "Whether routers may mark, and marked, congestion here."
_FRAGMENT_ID = "Tells which fragments belong to one packet."
_MORE = "1: more fragments of this packet follow."
_SENDER, _RECEIVER = "The host that sent the packet, as it says itself.", "The host that the packet is for."
_CARRIES = "Carries a packet from host to host, across networks."
IPV4 = (
    Row("Version", "ip.version", 4, "The version of IP: 4."),
    Row("Header length", "ip.hdr_len", 4, "Length of this header in 32-bit words: 5 without options."),
    Row("Differentiated services", "ip.dsfield.dscp", 6, _SERVICES),
    Row("Congestion notification", "ip.dsfield.ecn", 2, _CONGESTION),
    Row("Total length", "ip.len", 16, "Header and payload: {value} bytes."),
    Row("Identification", "ip.id", 16, _FRAGMENT_ID, in_hex(4)),
    Row("Reserved", "ip.flags.rb", 1, "Must be zero."),
    Row("Don't fragment", "ip.flags.df", 1, _WHOLE),
    Row("More fragments", "ip.flags.mf", 1, _MORE),
    Row("Fragment offset", "ip.frag_offset", 13, "Where this fragment belongs, in units of 8 bytes."),
    Row("Time to live", "ip.ttl", 8, HOPS),
    Row("Protocol", "ip.proto", 8, "What the packet carries: {text}.", _PROTOCOL),
    Row("Header checksum", "ip.checksum", 16, "", in_hex(4)),
    Row("Source", "ip.src", 32, _SENDER, ipv4_text),
    Row("Destination", "ip.dst", 32, _RECEIVER, ipv4_text),
)
IPV6 = (
    Row("Version", "ipv6.version", 4, "The version of IP: 6."),
    Row("Differentiated services", "ipv6.tclass.dscp", 6, _SERVICES),
    Row("Congestion notification", "ipv6.tclass.ecn", 2, _CONGESTION),
    Row("Flow label", "ipv6.flow", 20, _FLOW, in_hex(5)),
    Row("Payload length", "ipv6.plen", 16, "What follows this header: {value} bytes."),
    Row("Next header", "ipv6.nxt", 8, "What follows: {text}.", _PROTOCOL),
    Row("Hop limit", "ipv6.hlim", 8, HOPS),
    Row("Source", "ipv6.src", 128, _SENDER, ipv6_text),
    Row("Destination", "ipv6.dst", 128, _RECEIVER, ipv6_text),
)
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
_WHICH, _COUNT = "Which ping this is.", "The number of this echo."
ECHO = (Row("Identifier", "icmp.ident", 16, _WHICH), Row("Sequence", "icmp.seq", 16, _COUNT))
ECHO_V6 = (
    Row("Identifier", "icmpv6.echo.identifier", 16, _WHICH),
    Row("Sequence", "icmpv6.echo.sequence_number", 16, _COUNT),
)


def dissect_ipv4(cursor: Cursor, layers: list[Field]) -> Step | None:
    """Take an IPv4 header and its options; return the step for what it carries."""
    first, source = cursor.byte, "RFC 791 section 3.1"
    if cursor.number(4) != 4:
        return None
    made = take_header(cursor, layers, IPV4, "IPv4", "ip", _CARRIES, source)
    whole = made.get("ip.dst") is not None
    header = made.get("ip.hdr_len") * 4 if whole else 0
    options = take_options(cursor.part(header - 20), _ip_option, ("", ""), source)
    if options:
        made.extend([group("Options", options, key="ip.options", source=source)])
    if made.get("ip.checksum") is not None:
        is_whole = header >= 20 and first + header <= cursor.end
        covered = cursor.data[first : first + header] if is_whole else None
        checksums.judge(made.find("ip.checksum"), "this header only", covered)
    if whole and header < 20:
        made.find("ip.hdr_len").meaning += " Less than 5 cannot be: what follows cannot be placed."
    if header < 20:
        return None
    total = made.get("ip.len")
    if total >= header:
        cursor.end = min(cursor.end, first + total)
    if made.get("ip.frag_offset"):
        return None  # a later fragment: the header of its payload is in the first one
    return STEPS.get(made.get("ip.proto"))


def _ip_option(cursor: Cursor, kind: int) -> Field:
    meaning = "An option of the IP header."
    return cursor.rest(IP_OPTIONS.get(kind, f"Option {kind}"), meaning, source="RFC 791 section 3.1")


def dissect_ipv6(cursor: Cursor, layers: list[Field]) -> Step | None:
    """Take an IPv6 header; return the step for what follows, an extension header too."""
    first = cursor.byte
    if cursor.number(4) != 6:
        return None
    made = take_header(cursor, layers, IPV6, "IPv6", "ipv6", _CARRIES, "RFC 8200 section 3")
    cursor.end = min(cursor.end, first + 40 + made.get("ipv6.plen", 0))
    return STEPS.get(made.get("ipv6.nxt"))


def _extension(cursor: Cursor, layers: list[Field], kind: int) -> Step | None:
    start, name, what = cursor.byte, f"IPv6 {IP_EXTENSIONS[kind]}", "An extension of the IPv6 header."
    made = take_header(cursor, layers, EXTENSION, name, "", what, "RFC 8200 section 4")
    if not cursor.left:
        return None
    units = made.children[1].value
    size = (units + 2) * 4 if kind == ip_layer.AUTHENTICATION else (units + 1) * 8
    made.extend([cursor.run(size - 2, "Contents", "The options or addresses of this header.")])
    return STEPS.get(made.children[0].value) if cursor.byte == start + size else None


def _fragment(cursor: Cursor, layers: list[Field]) -> Step | None:
    what, source = "This packet was cut up by its sender.", "RFC 8200 section 4.5"
    made = take_header(cursor, layers, FRAGMENT, "IPv6 Fragment", "ipv6.fraghdr", what, source)
    return None if made.get("ipv6.fraghdr.offset") else STEPS.get(made.children[0].value)


def _udp(cursor: Cursor, layers: list[Field]) -> None:
    what = "Single messages, without any promise."
    made = take_header(cursor, layers, UDP_HEADER, "UDP", "udp", what, "RFC 768")
    checksum = made.get("udp.checksum")
    if checksum:
        checksums.judge_payload(made, cursor, layers)
    elif checksum == 0:
        made.find("udp.checksum").meaning = "Zero: the sender did not compute one."


def _icmp(
    cursor: Cursor, layers: list[Field], name: str, types: dict[int, str], source: str, echo: Table
) -> None:
    key = name.lower()
    rows = (
        Row("Type", f"{key}.type", 8, "What this message says: {text}.", named(types)),
        Row("Code", f"{key}.code", 8, "The type in detail."),
        Row("Checksum", f"{key}.checksum", 16, "", in_hex(4)),
    )
    made = take_header(cursor, layers, rows, name, key, "Messages about IP itself.", source)
    if made.get(f"{key}.checksum") is None:
        return
    checksums.judge_payload(made, cursor, layers)
    is_echo = types.get(made.children[0].value, "").startswith("echo")
    if is_echo and cursor.left >= 4:
        made.extend(cursor.table(echo, source)[0])
    if cursor.left:
        rest = ("Data", "What is to be echoed.") if is_echo else ("Message", "As the type defines it.")
        made.extend([cursor.rest(*rest)])


STEPS: dict[int, Step] = {
    ip_layer.ICMP: partial(_icmp, name="ICMP", types=ICMP_TYPES, source="RFC 792", echo=ECHO),
    ip_layer.ICMPV6: partial(
        _icmp, name="ICMPv6", types=ICMPV6_TYPES, source="RFC 4443 section 2.1", echo=ECHO_V6
    ),
    ip_layer.TCP: dissect_tcp,
    ip_layer.UDP: _udp,
    ip_layer.FRAGMENT_HEADER: _fragment,
    **{kind: partial(_extension, kind=kind) for kind in IP_EXTENSIONS},
}
