"""The eavesdropper: a capture file in, everything that can be known from it out.

Theory of operation. Every flow is reassembled (``lab.dissect.tcp.flows``), and its way to the server is examined:

    TLS records?             count them, and infer what their lengths reveal         (``encrypted``)
    base64, repeated XOR?    undo it (``disguises``), then read it as plaintext
    plaintext                read it with the same receivers as the chat server      (``plaintext``)

Who receives a message shows in the fan-out: what the server sends to whom after one message came in and before the next
one does. That needs no plaintext either. Nothing is guessed beyond that: where two messages overlap, the fan-out is
claimed for the earlier one, and may be wrong, which the score then counts.

Not supported: flows whose beginning is not in the capture.
"""

from bisect import bisect_left, bisect_right
from dataclasses import replace
from pathlib import Path

from lab.chat import events
from lab.dissect.files.capture import Capture
from lab.dissect.tcp.flows import Flow, find_flows
from lab.dissect.tcp.segments import FIN, RST, read_segments
from lab.dissect.tls.session import open_flow
from lab.exposure.encrypted import json_bytes, listen_to_tls
from lab.exposure.intercept import Delivery, Intercept, Message
from lab.exposure.plaintext import listen_to_plaintext

# What the server sends back is longer than what was said, by this and by the speaker's name.
ECHO_BYTES = json_bytes(events.Said("", "x")) - json_bytes(events.Say("x"))
# What a private line has beside its text and the receiver's name, and one to all does not.
PRIVATE_BYTES = json_bytes(events.SayTo("", "x")) - json_bytes(events.Say("x"))


def eavesdrop(path: Path | str | Capture) -> Intercept:
    """Read a capture, a file or an open one, as an eavesdropper does. Raises ``CaptureError`` for a bad file."""
    return eavesdrop_flows(find_flows(read_segments(path)))


def eavesdrop_flows(flows: list[Flow]) -> Intercept:
    """Return what an eavesdropper learns from the flows of a capture that was read already."""
    found = Intercept()
    deliveries: list[Delivery] = []
    for flow in flows:
        found.carried_bytes += len(flow.from_initiator) + len(flow.from_responder)
        if not flow.handshake and not len(flow.from_initiator):
            continue  # a connection that nobody answered
        found.server = found.server or str(flow.responder)
        found.presence += _presence(flow)
        session = open_flow(flow)
        deliveries += listen_to_tls(session, found) if session else listen_to_plaintext(flow, found)
    found.messages.sort(key=lambda message: (message.time_ns, message.frame))
    found.presence.sort()
    _follow_the_fan_out(found, sorted(deliveries))
    return found


def _presence(flow: Flow) -> list[tuple[int, str, str]]:
    """Return when a user comes (the first segment of a flow) and goes (its first FIN or RST)."""
    segments, endpoint = flow.segments, str(flow.initiator)
    seen = [(flow.start_ns, endpoint, "join")]
    ending = [row for row in flow.rows if segments.flags[row] & (FIN | RST)]
    if ending:
        seen.append((int(segments.time_ns[ending[0]]), endpoint, "leave"))
    return seen


def _follow_the_fan_out(found: Intercept, deliveries: list[Delivery]) -> None:
    """Fill in the recipients of each line: whom the server sends to between this message and the next."""
    on_report_wire = {message.endpoint for message in found.messages if message.kind == "announce"}
    times = [delivery.time_ns for delivery in deliveries]
    next_times = [message.time_ns for message in found.messages[1:]]
    for number, message in enumerate(found.messages):
        if not message.is_line:
            continue
        end = bisect_left(times, next_times[number]) if number < len(next_times) else len(times)
        caused = deliveries[bisect_right(times, message.time_ns) : end]
        recipients = {delivery.endpoint for delivery in caused} - {message.endpoint}
        found.messages[number] = message = replace(message, recipients=tuple(sorted(recipients)))
        if message.text is not None or message.endpoint in on_report_wire:
            continue
        if len(recipients) == 1 and len(found.others_present(message)) > 1:
            found.messages[number] = _as_private(message, found)
        elif not found.padding:
            echo = next((one.length for one in caused if one.endpoint == message.endpoint), None)
            if echo is not None:
                found.name_lengths.setdefault(message.endpoint, echo - message.length - ECHO_BYTES)


def _as_private(message: Message, found: Intercept) -> Message:
    """Take a line that only one of several received for a private one: it also names its receiver, so its text is shorter."""
    [receiver] = message.recipients
    text_length = None
    if message.text_length is not None and receiver in found.name_lengths:
        text_length = message.text_length - PRIVATE_BYTES - found.name_lengths[receiver]
    return replace(message, kind="tell", text_length=text_length)
