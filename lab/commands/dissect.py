"""``python3 lab dissect FILE``: what a capture file says, for people or (``--json``) for programs.

Without a switch: what the file is, its flows, and its first segments. With one: only that. What comes from
the network is never sent to the terminal as it is: bytes that could steer it are shown as dots.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.segment import Segment
from rich.segment import Segments as Styled
from rich.style import Style
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from lab.dissect.fields.frame import Application, dissect_frame
from lab.dissect.fields.tree import Field
from lab.dissect.files.capture_file import Capture, CaptureError, read_frames
from lab.dissect.packets.other_frames import describe
from lab.dissect.tcp.flows import Flow, Handshake, find_flow, find_flows
from lab.dissect.tcp.segments import Segments, read_segments
from lab.dissect.tcp.streams import BEFORE_BEGINNING, CONFLICT, DUPLICATE, Stream
from lab.dissect.tcp.turns import Turn, decrypted_turns, flow_turns
from lab.dissect.tls.session import TlsSession, open_flow
from lab.exposure.chat_fields import name_parts

DEFAULT_LIMIT = 40  # rows of a list
_RIGHT = ("frame", "time s", "flow", "segments", "bytes →", "bytes ←", "seconds")  # columns of numbers
# What a table of flows leaves out, step by step, until a flow fits on one line of the terminal.
_LEFT_OUT = (set(), {"details"}, {"details", "seconds"}, {"details", "seconds", "segments"})
LONG_TEXT = 65_536  # characters; str.translate is slow where not all are ASCII, a table pays off only here
MOST_FRAMES = 8  # that are named in one line
_WHY_EXCLUDED = {
    DUPLICATE: "that came again",
    CONFLICT: "that contradict what came first",
    BEFORE_BEGINNING: "that lie before the beginning of the stream",
}
COLOURS = ("red", "blue")  # of initiator and responder, as in Wireshark


class InputError(Exception):
    """The user asked for something that is not there; the text is one line."""


def main(argv: list[str] | None = None, application: Application | None = name_parts) -> int:
    """Run the program; gives its exit code: 0, or 2 for input that cannot be used, with one line on
    standard error.

    APPLICATION names the parts of payloads for ``--frame`` (see ``dissect_frame``).
    """
    arguments = _parser().parse_args(argv)
    try:
        _Program(arguments, application).run()
    except (CaptureError, InputError) as error:
        return _refuse(str(error))
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader of our output (head, less) has gone
            sys.stderr.close()
            return 0
        return _refuse(f"{error.filename or arguments.file}: {error.strerror or error}")
    return 0


def _refuse(line: str) -> int:
    print(f"lab dissect: {line}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab dissect", description="Take a capture file apart.")
    parser.add_argument("file", metavar="FILE", help="pcap or pcapng, also gzip-compressed")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--flows", action="store_true", help="every connection: ends, bytes, how it closed, TLS"
    )
    what.add_argument(
        "--handshakes", action="store_true", help="how each was opened: frames, numbers, options, times"
    )
    what.add_argument("--follow", type=int, metavar="N", help="what both sides of flow N wrote, in order")
    what.add_argument("--frame", type=int, metavar="N", help="every field of frame N, explained")
    parser.add_argument("--keys", metavar="FILE", help="a TLS key log (SSLKEYLOGFILE) to decrypt with")
    parser.add_argument("--hex", action="store_true", help="with --follow: bytes in hexadecimal too")
    parser.add_argument(
        "--limit", type=int, default=DEFAULT_LIMIT, metavar="N", help="rows of lists (0: all)"
    )
    parser.add_argument("--json", action="store_true", help="the same facts as JSON, and nothing else")
    return parser


class _Program:
    def __init__(self, arguments: argparse.Namespace, application: Application | None):
        self.arguments = arguments
        self.application = application
        self.console = Console(highlight=False)
        self.keys = [Path(arguments.keys).read_bytes()] if arguments.keys else []
        self.capture: Capture = read_frames(arguments.file)

    def run(self) -> None:
        chosen = self.arguments
        if chosen.frame is not None:
            return self._frame(chosen.frame)
        segments = read_segments(self.capture)
        if chosen.follow is not None:
            return self._follow(segments, chosen.follow)
        if chosen.flows:
            return self._flows(segments)
        if chosen.handshakes:
            return self._handshakes(segments)
        return self._overview(segments)

    def _say(self, facts: dict, *shown) -> None:
        """Print FACTS as JSON or SHOWN for people."""
        if self.arguments.json:
            json.dump(facts, sys.stdout, indent=1)
            sys.stdout.write("\n")
        else:
            for one in shown:
                self.console.print(one, crop=False)
        sys.stdout.flush()

    def _limited(self, items: list) -> tuple[list, list[Text]]:
        """The first of ITEMS, and a line about the others."""
        limit = self.arguments.limit if self.arguments.limit > 0 else len(items)
        left = len(items) - limit
        note = [Text(f"... and {left} more (--limit 0 shows all)", style="dim")] if left > 0 else []
        return items[:limit], note

    # --- lists ---

    def _overview(self, segments: Segments) -> None:
        facts = {"file": _file_facts(self.capture, segments)}
        flows, note = self._limited(find_flows(segments))
        rows, row_note = self._limited(list(range(len(segments))))
        events = _events(flows)
        facts["flows"] = [_flow_facts(flow, self.keys) for flow in flows]
        facts["segments"] = [_segment_facts(segments, i, events) for i in rows]
        if self.arguments.json:
            return self._say(facts)
        narrow = (
            self.console.width < 110
        )  # then the ports and the flow must do for addresses, and no time stamps
        names = ["frame", "time s", *(() if narrow else ("from", "to")), "flow", "info"]
        hidden = r" TSval=\d+ TSecr=\d+" if narrow else "$"
        table = _table("Segments", names)
        start = int(self.capture.time_ns[0]) if len(self.capture) else 0
        for i in rows:
            cells = {
                "frame": str(segments.number[i]),
                "time s": f"{(int(segments.time_ns[i]) - start) / 1e9:.6f}",
                "from": segments.address(segments.src[i]),
                "to": segments.address(segments.dst[i]),
                "flow": str(segments.flow[i]),
                "info": Text(" ".join([*events.get(i, ()), re.sub(hidden, "", segments.info(i))])),
            }
            table.add_row(*(cells[name] for name in names))
        shown = [_file_text(facts["file"]), self._flow_table(facts["flows"]), *note]
        return self._say(facts, *shown, *([table, *row_note] if len(segments) else []))

    def _flows(self, segments: Segments) -> None:
        flows, note = self._limited(find_flows(segments))
        facts = [_flow_facts(flow, self.keys) for flow in flows]
        self._say(
            {"file": _file_facts(self.capture, segments), "flows": facts}, self._flow_table(facts), *note
        )

    def _flow_table(self, flows: list[dict]) -> Table:
        """A line a flow, with as much as fits; addresses are shortened before a port is lost."""
        width = self.console.width
        for left_out in _LEFT_OUT:
            table = _flows_as_table(flows, left_out, None)
            excess = (
                self.console.measure(table, options=self.console.options.update(max_width=9999)).maximum
                - width
            )
            if excess <= 0:
                return table
        longest = (max(len(flow[end]) for flow in flows) for end in ("initiator", "responder"))
        return _flows_as_table(flows, left_out, (sum(longest) - excess) // 2)

    def _handshakes(self, segments: Segments) -> None:
        flows, note = self._limited(find_flows(segments))
        facts = [_handshake_facts(flow) for flow in flows]
        shown = []
        for flow, fact in zip(flows, facts, strict=True):
            shown.append(Text(f"Flow {flow.number}: {flow.initiator} to {flow.responder}", style="bold"))
            shown.append(_handshake_table(flow) if flow.handshake else Text(f"  {fact['missing']}"))
        self._say({"handshakes": facts}, *shown, *note)

    # --- one flow, one frame ---

    def _follow(self, segments: Segments, number: int) -> None:
        try:
            flow = find_flow(segments, number)
        except IndexError:
            raise InputError(
                f"no flow {number}: {self.arguments.file} holds {segments.flow_count}, counted from 0"
            ) from None
        session = open_flow(flow, self.keys)
        opened = session is not None and any(
            one.encrypted and one.plaintext is not None for one in session.records
        )
        turns = list(decrypted_turns(session) if opened else flow_turns(flow))
        streams = flow.from_initiator, flow.from_responder
        facts = {
            "flow": number,
            "initiator": str(flow.initiator),
            "responder": str(flow.responder),
            "decrypted": opened,
            "excluded": [_excluded_facts(stream) for stream in streams],
        }
        if session is not None:
            facts["tls"] = _tls_facts(session)
        if self.arguments.json:
            return self._say(facts | {"turns": [_turn_facts(turn) for turn in turns]})
        head = Text.assemble(
            f"Flow {number}: ", (str(flow.initiator), COLOURS[0]), " to ", (str(flow.responder), COLOURS[1])
        )
        shown = [head]
        if session is not None:
            how = "decrypted" if opened else "the records as they are on the wire"
            what = " ".join(filter(None, [session.version_name, session.suite_name]))
            problem = f"; {session.problem}" if session.problem else ""
            shown.append(Text(f"{what or 'TLS'}: {how}{problem}", style="dim"))
        pieces = self._turn_pieces(turns)
        if self.console.color_system is None:  # one piece: Rich takes as long for a piece as for a megabyte
            pieces = [("".join(text for text, _ in pieces), None)]
        shown.append(Styled(Segment(*piece) for piece in pieces))
        if not turns:
            shown.append(Text("Neither side wrote anything.", style="dim"))
        for name, stream in zip(("initiator", "responder"), streams, strict=True):
            shown += [
                Text(f"Not shown of the {name}: {one}", style="reverse") for one in _excluded_lines(stream)
            ]
        return self._say(facts, *shown)

    def _turn_pieces(self, turns: list[Turn]) -> Iterator[tuple[str, Style]]:
        """What --follow prints of ``turns``, and how. Rich would take a minute to wrap the lines of 16 MB."""
        dim, reverse, *colours = (Style.parse(name) for name in ("dim", "reverse", *COLOURS))
        for turn in turns:
            if turn.missing:
                yield f"[{turn.missing} bytes missing from the capture]\n", reverse
            if turn.data:
                yield f"frame {turn.frame}\n", dim
                text = _hex_dump(turn.data) if self.arguments.hex else printable(turn.data)
                yield f"{text}\n", colours[turn.way]

    def _frame(self, number: int) -> None:
        if not 1 <= number <= len(self.capture):
            raise InputError(
                f"no frame {number}: {self.arguments.file} holds {len(self.capture)}, counted from 1"
            )
        data = bytes(self.capture.frame(number))
        tree = dissect_frame(data, self.capture.link_type(number), self.application)
        shown = Tree(Text(f"Frame {number}: {len(data)} of {self.capture.original_length[number - 1]} bytes"))
        for child in tree.children:
            _grow(shown, child)
        facts = {
            "frame": number,
            "time_ns": int(self.capture.time_ns[number - 1]),
            **tree.as_dict(),
            "hex": data.hex(),
        }
        self._say(facts, shown, Text(_hex_dump(data)))


def _table(title: str, names: list[str]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in names:
        table.add_column(name, justify="right" if name in _RIGHT else "left", no_wrap=name != "info")
    return table


def _flows_as_table(flows: list[dict], left_out: set[str], room: int | None) -> Table:
    """The table without the columns ``left_out``; endpoints get at most ``room`` characters each."""
    details = "details" not in left_out
    rows = []
    for flow in flows:
        tls = flow["tls"] or {"version": "", "server_name": ""}
        seen = [tls["version"] or ("TLS" if flow["tls"] else ""), tls["server_name"] if details else ""]
        rows.append(
            {
                "flow": str(flow["flow"]),
                "initiator": _shortened(flow["initiator"], room) + ("" if flow["initiator_known"] else "?"),
                "responder": _shortened(flow["responder"], room),
                "segments": str(flow["segments"]),
                "bytes →": _bytes_text(flow["from_initiator"]),
                "bytes ←": _bytes_text(flow["from_responder"]),
                "seconds": f"{flow['duration_s']:.6f}",
                "TLS": printable(" ".join(filter(None, seen))),
                "closing": flow["closing"] if details else flow["closing"].split(":")[0],
            }
        )
    names = ["flow", "initiator", "responder", "segments", "bytes →", "bytes ←", "seconds", "TLS", "closing"]
    names = [
        name for name in names if name not in left_out and (name != "TLS" or any(row["TLS"] for row in rows))
    ]
    table = _table("Flows", names)
    for row in rows:
        table.add_row(*(Text(row[name]) for name in names))
    return table


def _shortened(endpoint: str, room: int | None) -> str:
    """An endpoint in ``room`` characters: a part of the address is left out, never of the port."""
    if room is None or len(endpoint) <= room:
        return endpoint
    address, _, port = endpoint.rpartition(":")
    room = max(room - len(port) - 1, 3)
    return f"{address[: room // 2]}…{address[len(address) - (room - 1) // 2 :]}:{port}"


def _grow(tree: Tree, field: Field) -> None:
    place = f"{field.start}" if field.length == 1 else f"{field.start}-{field.start + field.length - 1}"
    if field.is_bits:
        place += f" bits {field.bit_start % 8}-{field.bit_start % 8 + field.bit_length - 1}"
    colour = {"right": "green", "wrong": "red", "offloaded": "yellow"}.get(field.judgement, "bold")
    label = Text.assemble(
        (f"{place:>9}  ", "dim"),
        (field.name, "bold cyan" if field.children else "cyan"),
        ("  " + printable(field.text).replace("\n", " ") if field.text else "", colour),
        ("  " + printable(field.meaning).replace("\n", " ") if field.meaning else "", ""),
        (f"  [{field.source}]" if field.source and not field.children else "", "dim"),
    )
    branch = tree.add(label)
    for child in field.children:
        _grow(branch, child)


# --- facts: plain data that JSON can carry ---


def _file_facts(capture: Capture, segments: Segments) -> dict:
    times = capture.time_ns
    return {
        "path": capture.path,
        "frames": len(capture),
        "segments": len(segments),
        "flows": segments.flow_count,
        "duration_s": (int(times.max()) - int(times.min())) / 1e9 if len(times) else 0.0,
        "interfaces": [
            {
                "name": one.name,
                "link_type": one.link_type,
                "snap_length": one.snap_length,
                "dropped": one.dropped,
            }
            for one in capture.interfaces
        ],
        "comments": capture.comments,
        "application": capture.application,
        "carries_keys": bool(capture.secrets),
        "truncated": capture.truncated,
        "not_looked_into": {name: len(numbers) for name, numbers in segments.not_looked_into.items()},
    }


def _file_text(facts: dict) -> Text:
    links = ", ".join(
        f"{one['name'] or 'unnamed'} (link type {one['link_type']})" for one in facts["interfaces"][:4]
    )
    lines = [
        f"{facts['path']}: {facts['frames']} frames in {facts['duration_s']:.6f} s,"
        f" {facts['segments']} TCP segments in {facts['flows']} flows",
        f"recorded on {links}" + (f" by {facts['application']}" if facts["application"] else ""),
        *facts["comments"][:3],
    ]
    if facts["carries_keys"]:
        lines.append("The file carries its own TLS keys.")
    if facts["not_looked_into"]:
        lines.append(f"Not looked into: {describe(facts['not_looked_into'])}.")
    if facts["truncated"]:
        lines.append(f"Attention: {facts['truncated']}.")
    return Text("\n".join(printable(line) for line in lines))


def _stream_facts(stream) -> dict:
    return {
        "bytes": len(stream),
        "gaps": [{"offset": gap.offset, "length": gap.length} for gap in stream.gaps],
        "excluded": _excluded_facts(stream),
    }


def _excluded_facts(stream: Stream) -> dict[str, dict]:
    """What a stream leaves out: bytes and frames, by reason."""
    found: dict[str, dict] = {}
    for one in stream.excluded:
        fact = found.setdefault(one.reason, {"bytes": 0, "frames": []})
        fact["bytes"] += one.length
        fact["frames"].append(one.frame_number)
    return found


def _excluded_lines(stream: Stream) -> Iterator[str]:
    for reason, fact in _excluded_facts(stream).items():
        frames = list(dict.fromkeys(fact["frames"]))
        named = ", ".join(map(str, frames[:MOST_FRAMES])) + (" ..." if len(frames) > MOST_FRAMES else "")
        yield f"{fact['bytes']} bytes {_WHY_EXCLUDED[reason]} (frame{'s' * (len(frames) > 1)} {named})"


def _bytes_text(facts: dict) -> str:
    missing = sum(gap["length"] for gap in facts["gaps"])
    excluded = sum(one["bytes"] for reason, one in facts["excluded"].items() if reason != DUPLICATE)
    notes = [f"+{missing} missing"] * (missing > 0) + [f"{excluded} not in it"] * (excluded > 0)
    return f"{facts['bytes']}" + (f" ({', '.join(notes)})" if notes else "")


def _flow_facts(flow: Flow, keys: list[bytes]) -> dict:
    session = open_flow(flow, keys)
    return {
        "flow": flow.number,
        "initiator": str(flow.initiator),
        "responder": str(flow.responder),
        "initiator_known": flow.initiator_known,
        "segments": len(flow.rows),
        "first_frame": int(flow.segments.number[flow.rows[0]]),
        "from_initiator": _stream_facts(flow.from_initiator),
        "from_responder": _stream_facts(flow.from_responder),
        "duration_s": flow.duration_s,
        "closing": flow.closing,
        "tls": None if session is None else _tls_facts(session),
    }


def _tls_facts(session: TlsSession) -> dict:
    return {
        "version": session.version_name,
        "suite": session.suite_name,
        "server_name": session.server_name,
        "protocols": session.offered_protocols,
        "records": len(session.records),
        "decrypted_records": sum(one.encrypted and one.plaintext is not None for one in session.records),
        "alerts": [text for _, text in session.alerts],
        "problem": session.problem,
    }


def _segment_facts(segments: Segments, i: int, events: dict[int, list[str]]) -> dict:
    return {
        "frame": int(segments.number[i]),
        "time_ns": int(segments.time_ns[i]),
        "src": segments.address(segments.src[i]),
        "dst": segments.address(segments.dst[i]),
        "flow": int(segments.flow[i]),
        "info": segments.info(i),
        "events": events.get(i, []),
    }


def _events(flows: list[Flow]) -> dict[int, list[str]]:
    """Wireshark's bracketed judgements by row."""
    found: dict[int, list[str]] = {}
    for flow in flows:
        for event in flow.events:
            found.setdefault(event.row, []).append(str(event))
    return found


def _handshake_facts(flow: Flow) -> dict:
    facts = {"flow": flow.number, "initiator": str(flow.initiator), "responder": str(flow.responder)}
    shake = flow.handshake
    if shake is None:
        why = (
            "SYN and SYN-ACK were not both captured"
            if flow.initiator_known
            else "the capture begins behind it"
        )
        return facts | {"missing": f"no handshake: {why}"}
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


def _handshake_table(flow: Flow) -> Table:
    shake: Handshake = flow.handshake
    table = Table(box=None, pad_edge=False, show_header=False)
    segments = flow.segments
    row_of = {int(segments.number[row]): int(row) for row in flow.rows}
    for name, number, colour, after in (
        ("SYN", shake.syn, COLOURS[0], None),
        ("SYN-ACK", shake.syn_ack, COLOURS[1], shake.responder_rtt_s),
        ("ACK", shake.ack, COLOURS[0], shake.initiator_rtt_s),
    ):
        info = "not captured" if number is None else segments.info(row_of[number])
        later = "" if after is None else f"{after * 1e3:.3f} ms later"
        table.add_row(
            f"  {name}", "" if number is None else f"frame {number}", Text(info, style=colour), later
        )
    used = [name.replace("_", " ") for name, agreed in shake.agreed.items() if agreed]
    table.add_row("", "", f"agreed on: {', '.join(used) or 'no options'}", "")
    return table


def _turn_facts(turn: Turn) -> dict:
    return {
        "from": "responder" if turn.way else "initiator",
        "frame": turn.frame,
        "missing": turn.missing,
        "hex": turn.data.hex(),
        "text": turn.data.decode("utf-8", "replace"),
    }


# --- what was written ---


def printable(data: bytes | str) -> str:
    """Text that cannot steer a terminal: whatever is not printable becomes a dot, but for line ends."""
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    if text.isascii() or len(text) < LONG_TEXT:
        return text.translate(_SHOWN)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    shown = np.zeros(sys.maxunicode + 1, "<u4")
    shown[codes] = 1
    present = np.flatnonzero(shown)
    shown[present] = [_SHOWN[code] for code in present.tolist()]
    return shown[codes].tobytes().decode("utf-32-le")


class _Shown(dict):
    """For ``str.translate``: what stands for a character, found out once a character."""

    def __missing__(self, code: int) -> int:
        shown = self[code] = code if chr(code).isprintable() or code == ord("\n") else ord("·")
        return shown


_SHOWN = _Shown()


def _hex_dump(data: bytes) -> str:
    lines = []
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        text = "".join(chr(one) if 32 <= one < 127 else "." for one in row)
        lines.append(f"{start:04x}  {row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}  {text}")
    return "\n".join(lines)
