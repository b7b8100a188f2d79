"""Lay out ``facts`` with Rich, to the console's width: what ``lab dissect`` shows in a terminal."""

import re
from collections.abc import Iterator, Sequence

from rich.console import Console, Group
from rich.segment import Segment
from rich.segment import Segments as Styled
from rich.style import Style
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from lab.dissect.facts import Facts, excluded_facts
from lab.dissect.fields.tree import Field
from lab.dissect.packets.other_frames import describe
from lab.dissect.tcp.flows import Flow, Handshake
from lab.dissect.tcp.streams import BEFORE_BEGINNING, CONFLICT, DUPLICATE, Stream
from lab.dissect.tcp.turns import Turn
from lab.dissect.text import counted, hex_dump, printable

NARROW = 110  # columns; below, ports and flow must do for addresses, and there are no TCP time stamps
MOST_FRAMES = 8  # that are named in one line
COLOURS = ("red", "blue")  # of initiator and responder, as in Wireshark
JUDGEMENT_COLOURS = {"right": "green", "wrong": "red", "offloaded": "yellow"}
NUMERIC = ("frame", "time s", "flow", "segments", "bytes →", "bytes ←", "seconds")  # columns
# The columns that a table of flows leaves out, one after the other, until a flow fits on one line.
LEFT_OUT = ("details", "seconds", "segments")
WHY_EXCLUDED = {
    DUPLICATE: "that came again",
    CONFLICT: "that contradict what came first",
    BEFORE_BEGINNING: "that lie before the beginning of the stream",
}


def segment_table(console: Console, rows: list[Facts], start_ns: int) -> Table:
    """Return a line a segment, with seconds since ``start_ns``."""
    narrow = console.width < NARROW
    table = _table("Segments", ["frame", "time s", *([] if narrow else ["from", "to"]), "flow", "info"])
    for row in rows:
        info = re.sub(r" TSval=\d+ TSecr=\d+", "", row["info"]) if narrow else row["info"]
        ends = [] if narrow else [row["src"], row["dst"]]
        seconds = f"{(row['time_ns'] - start_ns) / 1e9:.6f}"
        line = Text(" ".join([*row["events"], info]))
        table.add_row(str(row["frame"]), seconds, *ends, str(row["flow"]), line)
    return table


def flow_table(console: Console, flows: list[Facts]) -> Table:
    """Return a line a flow, with as much as fits; where both ends do not, they stand one below the other."""
    unlimited = console.options.update(max_width=9999)
    for count in range(len(LEFT_OUT) + 1):
        table = _flows_as_table(flows, LEFT_OUT[:count])
        if console.measure(table, options=unlimited).maximum <= console.width:
            return table
    table = _flows_as_table(flows, LEFT_OUT, ["initiator, responder"])
    for column in table.columns[:2]:  # the flow's number and its ends give way to nothing else
        column.min_width = console.measure(Group(*column.cells), options=unlimited).maximum
    return table


def turns_text(console: Console, turns: list[Turn], as_hex: bool) -> Styled:
    """Return what both sides wrote. Rich would take a minute to wrap the lines of 16 MB as text."""
    dim, reverse, *colours = (Style.parse(name) for name in ("dim", "reverse", *COLOURS))
    pieces: list[tuple[str, Style | None]] = []
    for turn in turns:
        if turn.missing:
            pieces.append((f"[{counted(turn.missing, 'byte')} missing from the capture]\n", reverse))
        if turn.data:
            text = hex_dump(turn.data) if as_hex else printable(turn.data)
            pieces += [(f"frame {turn.frame}\n", dim), (f"{text}\n", colours[turn.way])]
    if console.color_system is None:  # one piece: Rich takes as long for a piece as for a megabyte
        pieces = [("".join(text for text, _ in pieces), None)]
    return Styled(Segment(*piece) for piece in pieces)


def _table(title: str, names: list[str]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in names:
        table.add_column(name, justify="right" if name in NUMERIC else "left", no_wrap=name != "info")
    return table


def _flows_as_table(
    flows: list[Facts], left_out: tuple[str, ...], ends: Sequence[str] = ("initiator", "responder")
) -> Table:
    """Return the table without the columns ``left_out``, and under it what its bytes do not count."""
    rows = [_flow_cells(flow, "details" not in left_out) for flow in flows]
    names = ["flow", *ends, "segments", "bytes →", "bytes ←", "seconds", "TLS", "closing"]
    empty = left_out if any(row["TLS"] for row in rows) else (*left_out, "TLS")
    names = [name for name in names if name not in empty]
    table = _table("Flows", names)
    for row in rows:
        table.add_row(*(Text(row[name]) for name in names))
    table.caption = Text("\n".join(note for flow in flows for note in _notes(flow)))
    table.caption_justify = "left"
    return table


def _flow_cells(flow: Facts, details: bool) -> dict[str, str]:
    tls = ""
    if flow["tls"]:
        name = flow["tls"]["server_name"] if details else ""
        tls = printable(" ".join(filter(None, [flow["tls"]["version"] or "TLS", name])))
    initiator = flow["initiator"] + ("" if flow["initiator_known"] else "?")
    return {
        "flow": str(flow["flow"]),
        "initiator": initiator,
        "responder": flow["responder"],
        "initiator, responder": f"{initiator}\n{flow['responder']}",
        "segments": str(flow["segments"]),
        "bytes →": str(flow["from_initiator"]["bytes"]),
        "bytes ←": str(flow["from_responder"]["bytes"]),
        "seconds": f"{flow['duration_s']:.6f}",
        "TLS": tls,
        "closing": flow["closing"] if details else flow["closing"].split(":")[0],
    }


def _notes(flow: Facts) -> Iterator[str]:
    """Yield a line for each direction in which bytes are missing, or seen but not in the stream."""
    for arrow, stream in (("→", flow["from_initiator"]), ("←", flow["from_responder"])):
        missing = sum(gap["length"] for gap in stream["gaps"])
        excluded = sum(one["bytes"] for reason, one in stream["excluded"].items() if reason != DUPLICATE)
        notes = [f"{counted(missing, 'byte')} missing"] if missing else []
        notes += [f"{counted(excluded, 'byte')} not in the stream"] if excluded else []
        if notes:
            yield f"Flow {flow['flow']} {arrow}: {', '.join(notes)}"


def file_text(file: Facts) -> Text:
    """Return what the file is, in a few lines."""
    frames, flows = counted(file["frames"], "frame"), counted(file["flows"], "flow")
    links = [f"{one['name'] or 'unnamed'} (link type {one['link_type']})" for one in file["interfaces"][:4]]
    by = f" by {file['application']}" if file["application"] else ""
    lines = [
        f"{file['path']}: {frames} in {file['duration_s']:.6f} s,"
        f" {counted(file['segments'], 'TCP segment')} in {flows}",
        f"recorded on {', '.join(links)}{by}",
        *file["comments"][:3],
    ]
    if file["carries_keys"]:
        lines.append("The file carries its own TLS keys.")
    if file["not_looked_into"]:
        lines.append(f"Not looked into: {describe(file['not_looked_into'])}.")
    if file["truncated"]:
        lines.append(f"Attention: {file['truncated']}.")
    return Text("\n".join(printable(line) for line in lines))


def excluded_lines(stream: Stream) -> Iterator[str]:
    """Yield what a stream leaves out and why, a line a reason."""
    for reason, fact in excluded_facts(stream).items():
        frames = list(dict.fromkeys(fact["frames"]))
        numbers = ", ".join(map(str, frames[:MOST_FRAMES])) + (" ..." if len(frames) > MOST_FRAMES else "")
        where = f"frame {numbers}" if len(frames) == 1 else f"frames {numbers}"
        yield f"{counted(fact['bytes'], 'byte')} {WHY_EXCLUDED[reason]} ({where})"


def handshake_table(flow: Flow, shake: Handshake) -> Table:
    """Return the three frames of a handshake and what they agreed on."""
    table = Table(box=None, pad_edge=False, show_header=False)
    segments = flow.segments
    row_of = {int(segments.number[row]): int(row) for row in flow.rows}
    for name, number, colour, after in (
        ("SYN", shake.syn, COLOURS[0], None),
        ("SYN-ACK", shake.syn_ack, COLOURS[1], shake.responder_rtt_s),
        ("ACK", shake.ack, COLOURS[0], shake.initiator_rtt_s),
    ):
        frame, info = "", "not captured"
        if number is not None:
            frame, info = f"frame {number}", segments.info(row_of[number])
        later = "" if after is None else f"{after * 1e3:.3f} ms later"
        table.add_row(f"  {name}", frame, Text(info, style=colour), later)
    used = [name.replace("_", " ") for name, agreed in shake.agreed.items() if agreed]
    table.add_row("", "", f"agreed on: {', '.join(used) or 'no options'}", "")
    return table


def field_tree(title: str, layers: list[Field]) -> Tree:
    """Return the layers of a frame, field by field."""
    tree = Tree(Text(title))
    for one in layers:
        _grow(tree, one)
    return tree


def _grow(tree: Tree, field: Field) -> None:
    place = f"{field.start}" if field.length == 1 else f"{field.start}-{field.start + field.length - 1}"
    if field.is_bits:
        place += f" bits {field.bit_start % 8}-{field.bit_start % 8 + field.bit_length - 1}"
    label = Text.assemble((f"{place:>9}  ", "dim"), (field.name, "bold cyan" if field.children else "cyan"))
    if field.text:
        colour = JUDGEMENT_COLOURS.get(field.judgement, "bold")
        label.append("  " + printable(field.text).replace("\n", " "), colour)
    if field.meaning:
        label.append("  " + printable(field.meaning).replace("\n", " "))
    if field.source and not field.children:
        label.append(f"  [{field.source}]", "dim")
    branch = tree.add(label)
    for child in field.children:
        _grow(branch, child)
