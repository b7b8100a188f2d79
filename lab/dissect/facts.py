"""Collect the facts of a capture as plain data: what ``lab dissect`` shows and ``--json`` prints."""

from typing import Any

from lab.dissect.files.capture import Capture
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.segments import Segments
from lab.dissect.tcp.streams import Stream
from lab.dissect.tcp.turns import Turn
from lab.dissect.tls.messages import TlsSession
from lab.dissect.tls.session import open_flow

Facts = dict[str, Any]


def file_facts(capture: Capture, segments: Segments) -> Facts:
    """Return what the file is: frames, segments, flows, duration, interfaces, comments, damage."""
    times = capture.time_ns
    shown = ("name", "link_type", "snap_length", "dropped")
    return {
        "path": capture.path,
        "frames": len(capture),
        "segments": len(segments),
        "flows": segments.flow_count,
        "duration_s": (int(times.max()) - int(times.min())) / 1e9 if len(times) else 0.0,
        "interfaces": [{name: getattr(one, name) for name in shown} for one in capture.interfaces],
        "comments": capture.comments,
        "application": capture.application,
        "carries_keys": bool(capture.secrets),
        "truncated": capture.truncated,
        "not_looked_into": {name: len(numbers) for name, numbers in segments.not_looked_into.items()},
    }


def ends_facts(flow: Flow) -> Facts:
    return {"flow": flow.number, "initiator": str(flow.initiator), "responder": str(flow.responder)}


def flow_facts(flow: Flow, keys: list[bytes]) -> Facts:
    """Return a flow's ends, the bytes of each direction, how it closed, and what is known of its TLS."""
    session = open_flow(flow, keys)
    return {
        **ends_facts(flow),
        "initiator_known": flow.initiator_known,
        "segments": len(flow.rows),
        "first_frame": int(flow.segments.number[flow.rows[0]]),
        "from_initiator": _stream_facts(flow.from_initiator),
        "from_responder": _stream_facts(flow.from_responder),
        "duration_s": flow.duration_s,
        "closing": flow.closing,
        "tls": None if session is None else tls_facts(session),
    }


def _stream_facts(stream: Stream) -> Facts:
    gaps = [{"offset": gap.offset, "length": gap.length} for gap in stream.gaps]
    return {"bytes": len(stream), "gaps": gaps, "excluded": excluded_facts(stream)}


def excluded_facts(stream: Stream) -> dict[str, Facts]:
    """Return what a stream leaves out: bytes and frames, by reason."""
    found: dict[str, Facts] = {}
    for one in stream.excluded:
        fact = found.setdefault(one.reason, {"bytes": 0, "frames": []})
        fact["bytes"] += one.length
        fact["frames"].append(one.frame_number)
    return found


def tls_facts(session: TlsSession) -> Facts:
    """Return version, suite, names, alerts of a TLS connection, and why not all of it could be opened."""
    return {
        "version": session.version_name,
        "suite": session.suite_name,
        "server_name": session.server_name,
        "protocols": session.offered_protocols,
        "ja4": session.ja4,
        "records": len(session.records),
        "decrypted_records": sum(one.encrypted and one.plaintext is not None for one in session.records),
        "alerts": [text for _, text in session.alerts],
        "problem": session.problem,
    }


def segment_facts(segments: Segments, i: int, events: dict[int, list[str]]) -> Facts:
    """Return one segment as a line of Wireshark's packet list; ``events`` is what ``events_by_row`` found."""
    return {
        "frame": int(segments.number[i]),
        "time_ns": int(segments.time_ns[i]),
        "src": segments.address(segments.src[i]),
        "dst": segments.address(segments.dst[i]),
        "flow": int(segments.flow[i]),
        "info": segments.info(i),
        "events": events.get(i, []),
    }


def events_by_row(flows: list[Flow]) -> dict[int, list[str]]:
    """Return Wireshark's bracketed judgements by the segment's row."""
    return {row: [str(one) for one in found] for flow in flows for row, found in flow.events_by_row.items()}


def handshake_facts(flow: Flow) -> Facts:
    """Return how a flow was opened, or ``missing``: why that is not known."""
    facts, shake = ends_facts(flow), flow.handshake
    if shake is None:
        late, lost = "the capture begins behind it", "SYN and SYN-ACK were not both captured"
        return facts | {"missing": f"no handshake: {lost if flow.initiator_known else late}"}
    return facts | {
        "frames": [shake.syn, shake.syn_ack, shake.ack],
        "syn_retransmissions": shake.syn_retransmissions,
        "initial_sequence_numbers": [shake.initiator_isn, shake.responder_isn],
        "offers": [vars(shake.initiator), vars(shake.responder)],
        "agreed": shake.agreed,
        "responder_rtt_s": shake.responder_rtt_s,
        "initiator_rtt_s": shake.initiator_rtt_s,
        "rtt_s": shake.rtt_s,
    }


def turn_facts(turn: Turn) -> Facts:
    """Return what one side wrote until the other one did."""
    return {
        "from": "responder" if turn.way else "initiator",
        "frame": turn.frame,
        "missing": turn.missing,
        "hex": turn.data.hex(),
        "text": turn.data.decode("utf-8", "replace"),
    }
