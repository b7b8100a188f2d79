"""``python3 lab traces``: record what TLS still shows of hundreds of conversations, as traces.

Each batch of conversations is recorded into a capture and dissected into one trace a connection; the capture is not kept.
A run that was cut off goes on behind the last whole batch. At the end there are the traces and their manifest.
"""

import json
import os
import shutil
import sys
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from statistics import mean

from lab import dissect
from lab.commands import command_line, print_bar, refuse
from lab.exposure.traces import Trace, TracesError, read_traces, trace_of, write_traces
from lab.harness.manifest import MANIFEST, sha256_of, write_manifest
from lab.harness.overheard import AT_ONCE, Conversation, plan, record_batch
from lab.harness.session import recording_into
from lab.harness.tap import may_record, nowhere_to_record
from lab.net import namespace
from lab.setup.paths import ROOT

FILE, BATCHES = "traces.jsonl.gz", "batches"
Waited = list[float]  # how long the requests of each conversation waited for their turn, in ms on average


def main(argv: list[str] | None = None) -> int:
    parser = command_line("traces", "Record what TLS still shows of many conversations (five minutes).")
    add = parser.add_argument
    out = "folder for the traces and their manifest (default: captures/mine/traces)"
    add("--out", type=Path, default=ROOT / "captures" / "mine" / "traces", metavar="DIR", help=out)
    add("--seed", type=int, default=0, help="of all that is drawn (default: %(default)s)")
    add("--labels", type=int, metavar="N", help="only the first N sentences and topics (default: all)")
    afresh = "record again what has been recorded; without it, a run that was cut off goes on"
    add("--afresh", action="store_true", help=afresh)
    options = parser.parse_args(argv)
    if options.labels is not None and options.labels < 1:
        parser.error("--labels must be 1 or more")

    planned, path = plan(options.seed, options.labels), options.out / FILE
    try:
        if not options.afresh and _recorded(path, planned):
            print(f"{path}: recorded already; --afresh records it again")
            return 0
        with recording_into(options.out):  # root of a namespace may write where this user may not
            pass
        if refused := may_record():
            if obstacle := namespace.refusal():
                raise nowhere_to_record(refused, obstacle)
            return namespace.popen([sys.executable, str(ROOT / "lab"), "traces", *(argv or [])]).wait()
        with recording_into(options.out):
            if options.afresh:
                path.unlink(missing_ok=True)
                shutil.rmtree(options.out / BATCHES, ignore_errors=True)
            load = _load()
            traces, waited = _record(planned, options.out / BATCHES)
            _finish(path, traces, waited, {"seed": options.seed, "load": [load, _load()]})
    except OSError as error:  # RecordingErrors are OSErrors, with a text for people
        return refuse("traces", error)
    print(f"{path}: {len(traces)} conversations, {path.stat().st_size:,} bytes")
    return 0


def _record(planned: list[Conversation], folder: Path) -> tuple[list[Trace], Waited]:
    """Record batch after batch, unless it is in the folder; return all traces, in the order of the plan."""
    folder.mkdir(exist_ok=True)
    traces: list[Trace] = []
    waited: Waited = []
    for start in range(0, len(planned), AT_ONCE):
        print_bar(start, len(planned), "conversations")
        batch, path = planned[start : start + AT_ONCE], folder / f"{start}.jsonl.gz"
        waits, found = path.with_name(f"{start}.json"), _recorded(path, batch)
        if not found:
            capture = folder / "batch.pcapng"
            observed = record_batch(capture, batch)
            found = _traces_in(capture, batch, [one["ports"] for one in observed])
            capture.unlink()
            waits.write_text(json.dumps([one["waited_ms"] for one in observed]))
            write_traces(path, found)  # last: with it, the batch is whole
        traces += found
        waited += json.loads(waits.read_text())
    print_bar(len(planned), len(planned), "conversations")
    return traces, waited


def _recorded(path: Path, planned: list[Conversation]) -> list[Trace]:
    """Return the traces in a file if they are those of these conversations, or else none."""
    try:
        found = read_traces(path)
    except (OSError, TracesError):
        return []
    return found if [asdict(one) for one in planned] == [_truth(trace) for trace in found] else []


def _truth(trace: Trace) -> dict[str, object]:
    """Return the fields of a trace that its conversation has, too."""
    return {name: value for name, value in asdict(trace).items() if not isinstance(value, list)}


def _traces_in(capture: Path, batch: list[Conversation], ports: list[list[int]]) -> list[Trace]:
    """Return a trace for each conversation, of the flow between the two ports of its observed connection."""
    found = dissect.find_flows(dissect.read_segments(capture))
    flows = {(flow.initiator.port, flow.responder.port): flow for flow in found}
    return [trace_of(flows[pair[0], pair[1]], **asdict(one)) for pair, one in zip(ports, batch, strict=True)]


def _finish(path: Path, traces: list[Trace], waited: Waited, about: dict[str, object]) -> None:
    """Write the file of all traces and its manifest, and remove the batches."""
    write_traces(path, traces)
    by_cure = defaultdict(list)
    for trace, waited_ms in zip(traces, waited, strict=True):
        by_cure[f"{trace.kind}, {trace.cure}"].append(waited_ms)
    recorded = {
        name: {"conversations": len(of), "waited_ms": round(mean(of), 1)} for name, of in by_cure.items()
    }
    entry = {"file": path.name, "sha256": sha256_of(path), "recorded": recorded}
    write_manifest(path.with_name(MANIFEST), [entry], "the loopback", made_by="python3 lab traces", **about)
    shutil.rmtree(path.with_name(BATCHES))


def _load() -> float | None:
    """Return the number of processes that wanted a processor in the last minute; None on Windows."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
