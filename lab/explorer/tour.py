"""A guided tour of a capture: a few frames, each with a sentence, made from what the capture holds."""

from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.segments import FIN, RST
from lab.dissect.text import counted, printable
from lab.exposure.intercept import Intercept

LONGEST_QUOTE = 80  # characters
Step = tuple[int, str, str]  # frame, title, text


def make_tour(flows: list[Flow], intercept: Intercept) -> list[Step]:
    """Return the steps of the tour: the handshake, the first words, who gets them, the end."""
    steps: list[Step] = []
    if flow := next((one for one in flows if one.handshake and one.handshake.ack), None):
        steps += _handshake(flow)
        steps += _first_payload(flow)
    steps += _first_line(intercept)
    if flow:
        steps += _end(flow)
    return steps


def _handshake(flow: Flow) -> list[Step]:
    shake = flow.handshake
    assert shake is not None and shake.ack is not None
    opening = f"{flow.initiator} sends its initial sequence number."
    answer = f"{flow.responder} acknowledges that number plus one, and sends its own."
    end = f"Both sides know both numbers. From here one round trip took {1e3 * (shake.rtt_s or 0):.3f} ms."
    return [
        (shake.syn, "SYN: a connection is asked for", opening),
        (shake.syn_ack, "SYN-ACK: the answer", answer),
        (shake.ack, "ACK: established", end),
    ]


def _first_payload(flow: Flow) -> list[Step]:
    streams = [stream for stream in (flow.from_initiator, flow.from_responder) if len(stream)]
    if not streams:
        return []
    stream = min(streams, key=lambda one: one.pieces[0].row)
    piece = stream.pieces[0]
    data = stream.data[: piece.length]
    if data[:2] == b"\x16\x03" and data[5:6] == b"\x01":
        text = f"A TLS ClientHello of {counted(len(data), 'byte')}: what the client supports, in the clear."
        return [(piece.frame_number, "The first payload: a ClientHello", text)]
    text = f"{counted(len(data), 'byte')}, which anyone on the path can read: {_quote(data.decode(errors='replace'))}"
    return [(piece.frame_number, "The first payload", text)]


def _first_line(intercept: Intercept) -> list[Step]:
    """Return the first line of the conversation, read or not, and where it went."""
    message = next(iter(intercept.said), None)
    if message is None:
        return []
    speaker = message.who or message.endpoint
    if message.text is not None:
        said = f"{printable(speaker)} says: {_quote(message.text)}"
    else:
        said = (
            f"{printable(speaker)} sends a line of {counted(message.length, 'byte')}, "
            "which cannot be read without the keys."
        )
    steps = [(message.frame, "The first words", said)]
    if message.recipients:
        to = ", ".join(message.recipients)
        text = f"The server sends a copy to {to}. Who hears whom is visible even where nothing can be read."
        steps.append((message.frame, "Who gets them", text))
    return steps


def _quote(text: str) -> str:
    return printable(text[:LONGEST_QUOTE]) + (" ..." if len(text) > LONGEST_QUOTE else "")


def _end(flow: Flow) -> list[Step]:
    segments = flow.segments
    ends = flow.rows[segments.flags[flow.rows] & (FIN | RST) != 0]
    if not len(ends):
        return []
    return [(int(segments.number[ends[0]]), "The end", f"The connection was {flow.closing}.")]
