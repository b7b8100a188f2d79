"""TLS records: the pieces into which TLS cuts what it sends over a TCP stream (RFC 8446 section 5.1).

    content type 1 | version 2 | length 2 | fragment

    20 change cipher spec   21 alert   22 handshake   23 application data   24 heartbeat (RFC 6520)

Records are not segments (a record may span several, a segment hold several) and not messages (a record may
hold several handshake messages, or a part of one). Anyone on the path can read these five bytes of every
record; what follows is plaintext until the keys are agreed, and from then on ciphertext. In TLS 1.3 the true
content type is encrypted too: handshake and data both travel as type 23, and the version field says 1.2 for
the sake of old middleboxes.
"""

import struct
from dataclasses import dataclass, field

from lab.dissect.tcp.streams import Stream
from lab.dissect.tls.names import CONTENTS, VERSIONS

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
HEADER_FORMAT = struct.Struct(">BHH")
HEADER = HEADER_FORMAT.size  # 5 bytes
# Bytes, by RFC 5246 section 6.2.3; TLS 1.3 allows less (RFC 8446 section 5.2).
LARGEST_FRAGMENT = (1 << 14) + 2048


@dataclass
class Record:
    """One record. Offsets and lengths in bytes; ``offset`` is that of the header in the stream's ``data``."""

    content_type: int
    version: int  # as in the header, 0x0303
    offset: int
    length: int  # of the fragment, without the header
    payload: bytes  # the fragment, as on the wire
    frame_numbers: list[int] = field(default_factory=list)  # frames that carry a part of it
    time_ns: int = 0  # when its first byte was recorded
    complete_ns: int = 0  # when its last byte was

    @property
    def name(self) -> str:
        return CONTENTS[self.content_type]

    @property
    def frame_number(self) -> int:
        """Return the frame in which the record is complete, where Wireshark shows it."""
        return self.frame_numbers[-1] if self.frame_numbers else 0


class Records(list[Record]):
    """A list of records, and why it ends where it does: ``problem`` is None or a sentence, ``end`` an offset."""

    problem: str | None = None
    end: int = 0


def read_records(stream: Stream) -> Records:
    """Return the records of one direction, up to its end or to the first byte that cannot be TLS.

    For a stream that is not TLS the list is empty, and its ``problem`` says so. A gap ends the list: nobody
    can say where the next record begins behind it.
    """
    run_end = stream.runs()[0][1] if len(stream) else 0
    records = parse_records(stream.data[:run_end])
    for record in records:
        record.frame_numbers = stream.frames(record.offset, HEADER + record.length)
        record.time_ns = stream.time_at(record.offset)
        record.complete_ns = stream.time_at(record.offset + HEADER + record.length - 1)
    if stream.gaps and (records.problem is None or records.end + LARGEST_FRAGMENT > run_end) and records:
        gap = stream.gaps[0]
        records.problem = f"{gap.length} bytes are missing from the capture at byte {gap.offset}"
    return records


def can_be_record(data: bytes, at: int) -> bool:
    """Return whether the header at byte ``at`` has a known type and version, and a length that is allowed."""
    content_type, version, length = HEADER_FORMAT.unpack_from(data, at)
    return content_type in CONTENTS and version in VERSIONS and length <= LARGEST_FRAGMENT


def parse_records(data: bytes) -> Records:
    """Return the records that ``data`` holds from its beginning on; their frames and times are left empty."""
    records = Records()
    at = 0
    while at + HEADER <= len(data):
        if not can_be_record(data, at):
            head = data[at : at + HEADER].hex(" ")
            records.problem = "not a TLS stream" if at == 0 else f"no TLS record at byte {at} ({head})"
            break
        content_type, version, length = HEADER_FORMAT.unpack_from(data, at)
        end = at + HEADER + length
        if end > len(data):
            break
        records.append(Record(content_type, version, at, length, bytes(data[at + HEADER : end])))
        at = end
    records.end = at
    if records.problem is None and at < len(data):
        if not records and at + HEADER > len(data):
            records.problem = "not a TLS stream: too short for a record"
        else:
            records.problem = f"the last record is not complete ({len(data) - at} bytes of it)"
    return records
