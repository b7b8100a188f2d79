"""``python3 lab dissect FILE``: what a capture file says, for people or (``--json``) for programs.

Without an option: what the file is, its flows, and its first segments. With one: only that. What comes from
the network is never sent to the terminal as it is: bytes that could steer it are shown as dots.
"""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from lab.commands import command_line, file_fault, refuse
from lab.dissect import facts, terminal
from lab.dissect.facts import Facts
from lab.dissect.fields.frame import dissect_frame
from lab.dissect.files.capture_file import CaptureError, read_frames
from lab.dissect.tcp.flows import find_flow, find_flows
from lab.dissect.tcp.segments import Segments, read_segments
from lab.dissect.tcp.turns import flow_turns
from lab.dissect.text import counted, hex_dump
from lab.dissect.tls.ja4 import TELLS
from lab.dissect.tls.key_schedule import read_key_log
from lab.dissect.tls.session import decrypted_turns, open_flow
from lab.exposure.chat_fields import name_parts

DEFAULT_LIMIT = 40  # rows of a list


class InputError(Exception):
    """The file does not hold what was asked for; the text is one line."""


def main(argv: list[str] | None = None) -> int:
    """Run the command; return 0, or 2 for input that cannot be used, with one line on standard error."""
    options = _parser().parse_args(argv)
    try:
        _Dissection(options).run()
    except (CaptureError, InputError) as error:
        return refuse("dissect", error)
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        sys.stderr.close()
    except OSError as error:
        return refuse("dissect", file_fault(error, options.file))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line("dissect", "Take a capture file apart.")
    add, what = parser.add_argument, parser.add_mutually_exclusive_group().add_argument
    shakes = "how each was opened: frames, numbers, options, times"
    limit = f"rows of lists (default: {DEFAULT_LIMIT}; 0: all)"
    add("file", metavar="FILE", help="pcap or pcapng, also gzip-compressed")
    what("--flows", action="store_true", help="every connection: ends, bytes, how it closed, TLS")
    what("--handshakes", action="store_true", help=shakes)
    what("--follow", type=int, metavar="N", help="what both sides of flow N wrote, in order")
    what("--frame", type=int, metavar="N", help="every field of frame N, explained")
    add("--keys", type=Path, metavar="FILE", help="a TLS key log (SSLKEYLOGFILE) to decrypt with")
    add("--hex", action="store_true", help="with --follow: bytes in hexadecimal too")
    add("--limit", type=int, default=DEFAULT_LIMIT, metavar="N", help=limit)
    add("--json", action="store_true", help="the same facts as JSON, and nothing else")
    return parser


class _Dissection:
    """One run of the command: its options, the open capture, and the terminal."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.console = Console(highlight=False)
        self.keys = [read_key_log(options.keys)] if options.keys else []
        self.capture = read_frames(options.file)

    def run(self) -> None:
        options = self.options
        if options.frame is not None:
            return self._frame(options.frame)
        segments = read_segments(self.capture)
        if options.follow is not None:
            return self._follow(segments, options.follow)
        if options.flows:
            return self._flows(segments)
        return self._handshakes(segments) if options.handshakes else self._overview(segments)

    def _print(self, found: Facts, *shown: RenderableType) -> None:
        """Print the facts as JSON, or what is shown of them to people."""
        if self.options.json:
            json.dump(found, sys.stdout, indent=1)
            sys.stdout.write("\n")
        else:
            for one in shown:
                self.console.print(one, crop=False)
        sys.stdout.flush()

    def _limit(self, count: int) -> tuple[int, list[Text]]:
        """Return how many of so many items to show, and a line about the others."""
        limit = self.options.limit if self.options.limit > 0 else count
        left = count - limit
        return limit, [Text(f"... and {left} more (--limit 0 shows all)", style="dim")] if left > 0 else []

    # --- lists ---

    def _overview(self, segments: Segments) -> None:
        file = facts.file_facts(self.capture, segments)
        limit, more_flows = self._limit(segments.flow_count)
        flows = find_flows(segments)[:limit]
        limit, more_segments = self._limit(len(segments))
        events = facts.events_by_row(flows)
        flow_rows = [facts.flow_facts(flow, self.keys) for flow in flows]
        segment_rows = [facts.segment_facts(segments, i, events) for i in range(len(segments))[:limit]]
        found = {"file": file, "flows": flow_rows, "segments": segment_rows}
        flow_table = terminal.flow_table(self.console, flow_rows)
        shown: list[RenderableType] = [terminal.file_text(file), flow_table, *more_flows]
        if segment_rows:
            start_ns = int(self.capture.time_ns[0])
            shown += [terminal.segment_table(self.console, segment_rows, start_ns), *more_segments]
        self._print(found, *shown)

    def _flows(self, segments: Segments) -> None:
        limit, more = self._limit(segments.flow_count)
        rows = [facts.flow_facts(flow, self.keys) for flow in find_flows(segments)[:limit]]
        file = facts.file_facts(self.capture, segments)
        self._print({"file": file, "flows": rows}, terminal.flow_table(self.console, rows), *more)

    def _handshakes(self, segments: Segments) -> None:
        limit, more = self._limit(segments.flow_count)
        flows = find_flows(segments)[:limit]
        rows = [facts.handshake_facts(flow) for flow in flows]
        shown: list[RenderableType] = []
        for flow, row in zip(flows, rows, strict=True):
            shown.append(Text(f"Flow {flow.number}: {flow.initiator} to {flow.responder}", style="bold"))
            shake = flow.handshake
            shown.append(terminal.handshake_table(flow, shake) if shake else Text(f"  {row['missing']}"))
        self._print({"handshakes": rows}, *shown, *more)

    # --- one flow, one frame ---

    def _follow(self, segments: Segments, number: int) -> None:
        if not 0 <= number < segments.flow_count:
            holds = counted(segments.flow_count, "flow")
            raise InputError(f"no flow {number}: {self.options.file} holds {holds}, counted from 0")
        flow = find_flow(segments, number)
        session = open_flow(flow, self.keys)
        opened = session is not None and session.is_opened
        turns = list(decrypted_turns(session) if session and opened else flow_turns(flow))
        streams = {"initiator": flow.from_initiator, "responder": flow.from_responder}
        found: Facts = {"flow": number, "initiator": str(flow.initiator), "responder": str(flow.responder)}
        found |= {"decrypted": opened, "excluded": [facts.excluded_facts(one) for one in streams.values()]}
        if session is not None:
            found["tls"] = facts.tls_facts(session)
        if self.options.json:
            return self._print(found | {"turns": [facts.turn_facts(turn) for turn in turns]})
        ends = (str(flow.initiator), terminal.COLOURS[0]), " to ", (str(flow.responder), terminal.COLOURS[1])
        shown: list[RenderableType] = [Text.assemble(f"Flow {number}: ", *ends)]
        if session is not None:
            how = "decrypted" if opened else "the records as they are on the wire"
            what = " ".join(filter(None, [session.version_name, session.suite_name])) or "TLS"
            problem = f"; {session.problem}" if session.problem else ""
            shown.append(Text(f"{what}: {how}{problem}", style="dim"))
            if session.ja4:
                shown.append(Text(f"JA4 of the client: {session.ja4}; {TELLS}", style="dim"))
        nothing = Text("Neither side wrote anything.", style="dim")
        shown.append(terminal.turns_text(self.console, turns, self.options.hex) if turns else nothing)
        for name, stream in streams.items():
            lines = terminal.excluded_lines(stream)
            shown += [Text(f"Not shown of the {name}: {line}", style="reverse") for line in lines]
        return self._print(found, *shown)

    def _frame(self, number: int) -> None:
        if not 1 <= number <= len(self.capture):
            holds = counted(len(self.capture), "frame")
            raise InputError(f"no frame {number}: {self.options.file} holds {holds}, counted from 1")
        data = bytes(self.capture.frame(number))
        tree = dissect_frame(data, self.capture.link_type(number), name_parts)
        whole = counted(int(self.capture.original_length[number - 1]), "byte")
        layers = terminal.field_tree(f"Frame {number}: {len(data)} of {whole}", tree.children)
        found = {"frame": number, "time_ns": int(self.capture.time_ns[number - 1]), **tree.as_dict()}
        self._print(found | {"hex": data.hex()}, layers, Text(hex_dump(data)))
