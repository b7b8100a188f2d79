"""A flow on which everything happens that a chart has a mark for, built byte by byte and written to a file.

A client uploads 24 segments of 1,000 bytes to a server 40 ms away, recorded at the client. The sixth is lost: three
duplicate acknowledgements with SACK blocks, a fast retransmission. The last is lost too, with nothing behind it: it is
sent again after a timeout of 300 ms. In between the server's window closes and opens again. Both then say FIN.
"""

import struct

from lab.dissect.files.capture_file import CaptureWriter
from tests.dissect.packets import ACK, FIN, PSH, SYN, ipv4, link, tcp

CLIENT, SERVER = ("10.27.27.206", 56228), ("10.27.27.131", 9898)
CLIENT_ISN, SERVER_ISN = 2**32 - 5000, 77_000  # the client's numbers wrap around on the way
MSS = 1000
ROUND_TRIP_MS = 40
LOST, LAST = 5, 23  # which segments do not arrive the first time
START_NS = 1_683_600_000_000_000_000


def write_lossy_upload(path) -> None:
    """Write the capture to PATH."""
    frames = []  # (ms, from client, relative seq, relative ack, flags, window, options, payload)
    wide = 64_000 >> 7
    syn_options = b"\x02\x04\x03\xe8" + b"\x04\x02" + b"\x01\x03\x03\x07"

    def client(ms, seq, flags=ACK, payload=b"", ack=1, window=wide, options=b""):
        frames.append((ms, True, seq, ack, flags, window, options, payload))

    def server(ms, ack, flags=ACK, window=wide, options=b"", seq=1):
        frames.append((ms, False, seq, ack, flags, window, options, b""))

    def sack(*blocks):
        numbers = [(CLIENT_ISN + number) % 2**32 for block in blocks for number in block]
        return b"\x01\x01" + struct.pack(f">BB{len(numbers)}I", 5, 2 + 4 * len(numbers), *numbers)

    def number(segment):
        return 1 + MSS * segment

    def data(ms, segment):
        push = PSH if segment % 4 == 3 else 0
        client(ms, number(segment), ACK | push, bytes((segment + i) % 251 for i in range(MSS)))

    client(0, 0, SYN, ack=0, window=64_000, options=syn_options)
    server(ROUND_TRIP_MS, 1, SYN | ACK, window=64_000, options=syn_options, seq=0)
    client(ROUND_TRIP_MS + 0.1, 1)
    # Ten segments in a burst; the sixth is lost, each of the four behind it draws a duplicate acknowledgement.
    begin = 45.0
    for segment in range(10):
        data(begin + segment, segment)
        arrived = begin + segment + ROUND_TRIP_MS
        if segment < LOST:
            server(arrived, number(segment + 1))
        elif segment > LOST:
            server(arrived, number(LOST), options=sack((number(LOST + 1), number(segment + 1))))
    data(begin + LOST + 3 + ROUND_TRIP_MS + 0.5, LOST)  # after the third duplicate
    server(begin + LOST + 3 + 2 * ROUND_TRIP_MS, number(10), window=63)
    # Eight more fill the window to its edge; the server says "no more", and later "go on".
    begin = 140.0
    for segment in range(10, 18):
        data(begin + (segment - 10), segment)
    server(begin + 3 + ROUND_TRIP_MS, number(14), window=32)
    server(begin + 7 + ROUND_TRIP_MS, number(18), window=0)
    server(begin + 7 + ROUND_TRIP_MS + 80, number(18))
    # The rest; the last is lost, and nothing behind it shows that.
    begin = 280.0
    for segment in range(18, 24):
        data(begin + (segment - 18), segment)
        if segment != LAST:
            server(begin + (segment - 18) + ROUND_TRIP_MS, number(segment + 1))
    again = begin + 5 + 300
    data(again, LAST)
    server(again + ROUND_TRIP_MS, number(24))
    client(again + 60, number(24), FIN | ACK)
    server(again + 60 + ROUND_TRIP_MS, number(24) + 1, FIN | ACK)
    client(again + 60.1 + ROUND_TRIP_MS, number(24) + 1, ack=2)
    frames.sort(key=lambda frame: frame[0])
    with CaptureWriter(path, comment="built by a test, no recording") as writer:
        writer.add_interface("client")
        for ms, from_client, seq, ack, flags, window, options, payload in frames:
            ours, theirs = (CLIENT, SERVER) if from_client else (SERVER, CLIENT)
            own, other = (CLIENT_ISN, SERVER_ISN) if from_client else (SERVER_ISN, CLIENT_ISN)
            acknowledged = other + ack if flags & ACK else 0
            segment = tcp(
                ours[0],
                theirs[0],
                ours[1],
                theirs[1],
                own + seq,
                acknowledged,
                flags,
                window,
                options,
                payload,
            )
            writer.write(link(1, ipv4(ours[0], theirs[0], segment)), START_NS + round(ms * 1e6))
