"""The TCP header as a tree of fields (RFC 9293 section 3.1), each flag and each option by itself.

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
|          Source port          |       Destination port        |
|                        Sequence number                        |
|                     Acknowledgment number                     |
| Offset| Rsrvd |C E U A P R S F|            Window             |
|           Checksum            |        Urgent pointer         |
|                    Options, filled up to 32 bits              |
"""

from typing import NamedTuple

from lab.dissect.fields import checksums
from lab.dissect.fields.options import take_options
from lab.dissect.fields.tree import Cursor, Field, Row, Table, group, in_hex, take_header
from lab.dissect.packets.network_names import TCP_OPTIONS
from lab.dissect.tcp.options import MSS, SACK, SACK_PERMITTED, TIMESTAMPS, WINDOW_SCALE

SOURCE = "RFC 9293 section 3.1"

_ACK = "The acknowledgment number is valid: in all segments but the first SYN and some RSTs."
_PUSH = "Push: the receiver should not wait for more before it passes this on; it marks no message."
_SYN = "Synchronise: opens a direction and names its initial sequence number."
_WINDOW = "Room for {value} more bytes, before scaling by the agreed shift."
_TO_FLAGS = (
    Row("Source port", "tcp.srcport", 16, "The sender's end of the connection."),
    Row("Destination port", "tcp.dstport", 16, "The receiver's end; a server's is known beforehand."),
    Row("Sequence number", "tcp.seq_raw", 32, "The number of the first payload byte, or of the SYN."),
    Row("Acknowledgment number", "tcp.ack_raw", 32, "Everything before it has arrived (valid with ACK)."),
    Row("Header length", "tcp.hdr_len", 4, "Length of this header in 32-bit words: 5 without options."),
)
FLAGS = (
    Row("Reserved", "tcp.flags.res", 3, "Must be zero."),
    Row("Accurate ECN", "tcp.flags.ae", 1, "Counts congestion marks (RFC 9768); formerly NS."),
    Row("CWR", "tcp.flags.cwr", 1, "Congestion window reduced: the sender has slowed down (RFC 3168)."),
    Row("ECE", "tcp.flags.ece", 1, "ECN echo: a router marked congestion on the way (RFC 3168)."),
    Row("URG", "tcp.flags.urg", 1, "The urgent pointer is valid."),
    Row("ACK", "tcp.flags.ack", 1, _ACK),
    Row("PSH", "tcp.flags.push", 1, _PUSH),
    Row("RST", "tcp.flags.reset", 1, "Reset: the connection is over at once."),
    Row("SYN", "tcp.flags.syn", 1, _SYN),
    Row("FIN", "tcp.flags.fin", 1, "Finished: the sender will send no more."),
)
_BEHIND_FLAGS = (
    Row("Window", "tcp.window_size_value", 16, _WINDOW),
    Row("Checksum", "tcp.checksum", 16, "", in_hex(4)),
    Row("Urgent pointer", "tcp.urgent_pointer", 16, "Where urgent data ends, if URG is set."),
)
_EDGES = (
    Row("Left edge", "tcp.options.sack_le", 32, "The first byte of a block that arrived out of order."),
    Row("Right edge", "tcp.options.sack_re", 32, "The byte behind that block."),
)
_SIZE = Row("Size", "tcp.options.mss_val", 16, "Send me at most {value} bytes of payload in a segment.")
_SHIFT = Row("Shift", "tcp.options.wscale.shift", 8, "My windows are to be shifted left by {value} bits.")
_CLOCKS = (
    Row("My clock", "tcp.options.timestamp.tsval", 32, "The sender's clock, in ticks of its own."),
    Row("Echo", "tcp.options.timestamp.tsecr", 32, "The last clock value that came from the other side."),
)


class _Option(NamedTuple):
    name: str
    key: str
    meaning: str
    source: str
    rows: Table | None = None  # of its value; None: bytes


_LARGEST, _HOW_LARGE = "Maximum segment size", "How large a segment may be."
_SCALE = "Makes windows over 65,535 bytes possible, if both sides offer it."
_CLOCK = "Measures round trips and unmasks old duplicates."
_SACK_OK = "I understand SACK blocks."
_OPTIONS = {
    MSS: _Option(_LARGEST, "tcp.options.mss", _HOW_LARGE, "RFC 9293 section 3.7.1", (_SIZE,)),
    WINDOW_SCALE: _Option("Window scale", "tcp.options.wscale", _SCALE, "RFC 7323 section 2", (_SHIFT,)),
    SACK_PERMITTED: _Option("SACK permitted", "tcp.options.sack_perm", _SACK_OK, "RFC 2018 section 2", ()),
    SACK: _Option("SACK", "tcp.options.sack", "What arrived beyond a hole.", "RFC 2018 section 3"),
    TIMESTAMPS: _Option("Timestamps", "tcp.options.timestamp", _CLOCK, "RFC 7323 section 3", _CLOCKS),
}


def dissect_tcp(cursor: Cursor, layers: list[Field]) -> None:
    """Take the header at ``cursor``, with its options."""
    rows = (*_TO_FLAGS, _flags, *_BEHIND_FLAGS)
    meaning = "A reliable stream of bytes in each direction, between two ports."
    made = take_header(cursor, layers, rows, "TCP", "tcp", meaning, SOURCE)
    if made.get("tcp.urgent_pointer") is not None:
        length = made.find("tcp.hdr_len")
        if length.value < 5:
            length.meaning += " Less than 5 cannot be."
        inner = cursor.part(length.value * 4 - 20)
        if options := take_options(inner, _option, ("tcp.options.nop", "tcp.options.eol"), SOURCE):
            text = f"{length.value * 4 - 20} bytes"
            made.extend([group("Options", options, text, key="tcp.options", source=SOURCE)])
    if made.get("tcp.checksum") is not None:
        checksums.judge_payload(made, cursor, layers)


def _flags(cursor: Cursor, source: str) -> list[Field]:
    value = cursor.number(12)
    flags, whole = cursor.table(FLAGS, source)
    if not whole:
        return flags
    text = f"0x{value:03x} ({', '.join(flag.name for flag in flags[1:] if flag.value) or 'none'})"
    meaning = "Twelve bits, nine of them flags; which are set says what the segment is for."
    return [group("Flags", flags, text, meaning, key="tcp.flags", source=source, value=value)]


def _option(cursor: Cursor, kind: int) -> Field:
    only_named = "An option that this kit only names.", "IANA TCP parameters"
    unknown = _Option(TCP_OPTIONS.get(kind, f"Option {kind}"), "", *only_named)
    name, key, meaning, source, rows = _OPTIONS.get(kind, unknown)
    head = (
        Row("Kind", "tcp.option_kind", 8, f"{kind} stands for: {name.lower()}."),
        Row("Length", "tcp.option_len", 8, "Bytes of this option, kind and length included."),
    )
    children, _ = cursor.table(head, source)
    if kind == SACK and cursor.left % 8 == 0:
        rows = _EDGES * (cursor.left // 8)
    if rows is not None and sum(row.bits for row in rows) == cursor.left * 8:
        children += cursor.table(rows, source)[0]
    elif cursor.left:
        wrong = "" if rows is None else "Not of the length that this option has."
        children.append(cursor.rest("Value", wrong, source=source))
    text = ", ".join(value.text for value in children[2:])
    return group(name, children, text, meaning, key=key, source=source)
