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

from lab.dissect.fields.tree import Cursor, Field, Layer, Row, group, in_hex, layer
from lab.dissect.tcp.options import END, MSS, NOP, SACK, SACK_PERMITTED, TIMESTAMPS, WINDOW_SCALE

SOURCE = "RFC 9293 section 3.1"

PORTS_AND_NUMBERS = (
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
    Row(
        "ACK",
        "tcp.flags.ack",
        1,
        "The acknowledgment number is valid: in all segments but the first SYN and some RSTs.",
    ),
    Row(
        "PSH",
        "tcp.flags.push",
        1,
        "Push: the receiver should not wait for more before it passes this on; it marks no message.",
    ),
    Row("RST", "tcp.flags.reset", 1, "Reset: the connection is over at once."),
    Row("SYN", "tcp.flags.syn", 1, "Synchronise: opens a direction and names its initial sequence number."),
    Row("FIN", "tcp.flags.fin", 1, "Finished: the sender will send no more."),
)
_WINDOW = "Room for {value} more bytes, before scaling by the agreed shift."
WINDOW_TO_URGENT = (
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
    rows: tuple[Row, ...] | None  # of its value; None: bytes
    meaning: str
    source: str


_SCALE_MEANING = "Makes windows over 65,535 bytes possible, if both sides offer it."
_CLOCK_MEANING = "Measures round trips and unmasks old duplicates."
_OPTIONS = {
    MSS: _Option(
        "Maximum segment size",
        "tcp.options.mss",
        (_SIZE,),
        "How large a segment may be.",
        "RFC 9293 section 3.7.1",
    ),
    WINDOW_SCALE: _Option(
        "Window scale", "tcp.options.wscale", (_SHIFT,), _SCALE_MEANING, "RFC 7323 section 2"
    ),
    SACK_PERMITTED: _Option(
        "SACK permitted", "tcp.options.sack_perm", (), "I understand SACK blocks.", "RFC 2018 section 2"
    ),
    SACK: _Option("SACK", "tcp.options.sack", None, "What arrived beyond a hole.", "RFC 2018 section 3"),
    TIMESTAMPS: _Option("Timestamps", "tcp.options.timestamp", _CLOCKS, _CLOCK_MEANING, "RFC 7323 section 3"),
}
_NAMES = {
    19: "MD5 signature",
    27: "Quick start",
    28: "User timeout",
    29: "Authentication",
    30: "Multipath TCP",
}
_NAMES |= {34: "Fast open cookie", 253: "Experiment 1", 254: "Experiment 2"}


def dissect_tcp(cursor: Cursor) -> tuple[Layer, Field | None]:
    """Take the header at ``cursor``; return its layer and its checksum, not judged yet (None: not captured)."""
    first = cursor.byte
    fields, whole = cursor.table(PORTS_AND_NUMBERS, SOURCE)
    if whole:
        flags, whole = cursor.table(FLAGS, SOURCE)
        if flags:
            fields.append(_flags_field(flags) if whole else group("Flags", flags, source=SOURCE))
    if whole:
        rest, whole = cursor.table(WINDOW_TO_URGENT, SOURCE)
        fields += rest
    if whole:
        header = fields[4].value * 4
        if header < 20:
            fields[4].meaning += " Less than 5 cannot be."
        elif header > 20 and (options := _options(cursor.until(first + header))):
            text = f"{header - 20} bytes"
            fields.append(group("Options", options, text, key="tcp.options", source=SOURCE))
            cursor.bit = options[-1].bit_start + options[-1].bit_length
    checksum = next((one for one in fields if one.key == "tcp.checksum"), None)
    meaning = "A reliable stream of bytes in each direction, between two ports."
    return layer("TCP", "tcp", first * 8, fields, meaning), checksum


def _flags_field(flags: list[Field]) -> Field:
    value = 0
    for flag, row in zip(flags, FLAGS, strict=True):
        value = value << row.bits | flag.value
    text = f"0x{value:03x} ({', '.join(flag.name for flag in flags[1:] if flag.value) or 'none'})"
    meaning = "Twelve bits, nine of them flags; which are set says what the segment is for."
    return group("Flags", flags, text, meaning, key="tcp.flags", source=SOURCE, value=value)


def _options(cursor: Cursor) -> list[Field]:
    options: list[Field] = []
    while cursor.left:
        kind = cursor.number(8)
        length = cursor.data[cursor.byte + 1] if cursor.left >= 2 else 0
        if kind == NOP:
            meaning, key = "Padding between options.", "tcp.options.nop"
            options.append(cursor.run(1, "No operation", meaning, key=key, source=SOURCE))
        elif kind == END:
            meaning, key = "The rest fills up to 32 bits.", "tcp.options.eol"
            options.append(cursor.rest("End of options", meaning, key=key, source=SOURCE))
        elif length < 2 or length > cursor.left:
            meaning = f"Kind {kind} claims {length} bytes, which cannot be: the list ends here."
            options.append(cursor.rest("Broken option", meaning, source=SOURCE))
        else:
            options.append(_option(cursor.until(cursor.byte + length), kind))
            cursor.bit += length * 8
    return options


def _option(cursor: Cursor, kind: int) -> Field:
    meaning, source = "An option that this kit only names.", "IANA TCP parameters"
    unknown = _Option(_NAMES.get(kind, f"Option {kind}"), "", None, meaning, source)
    name, key, rows, meaning, source = _OPTIONS.get(kind, unknown)
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
