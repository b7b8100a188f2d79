"""How fast the dissector is, beside the field's tools: ``python -m tests.bench.dissect [--segments
1000000]``.

Makes a chat's traffic from a seed, then asks each tool for the same row a segment: time, addresses, ports,
flags, relative sequence and acknowledgement numbers, window, payload length. Each measurement runs in a
process of its own, so that its peak memory is its own. The slow tools get a beginning of the same traffic,
long enough to show their rate.

Times say little on a shared machine: read the ratios. Beside them stand two limits that no dissector can
pass, reading the file and a bare walk over its records.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.bench import end_on_sigterm
from tests.support import ROOT

AT_ONCE = 200  # connections open at the same time

# Ratios that issue D demands: measured rate of ours over the tool's.
DEMANDED = {
    "tshark, decode only": 100,
    "tshark, whole process": 60,
    "tshark, whole process at 50,000": 12,
    "pyshark": 4000,
    "pyshark, JSON": 300,
    "dpkt": 25,
    "tcpflow": 2,
}
TSHARK_FIELDS = (
    *(
        "frame.time_epoch",
        "ip.src",
        "ip.dst",
        "tcp.srcport",
        "tcp.dstport",
        "tcp.flags",
        "tcp.seq",
        "tcp.ack",
    ),
    *("tcp.window_size_value", "tcp.len", "tcp.stream"),
)


# --- the traffic ---


def make(path: Path, count: int, seed: int = 1) -> None:
    """COUNT segments of many chat connections, interleaved: handshake, lines and acknowledgements, close."""
    from lab.dissect.files.capture_file import CaptureWriter

    rng = random.Random(seed)
    ip, tcp = struct.Struct(">BBHHHBBH4s4s"), struct.Struct(">HHIIHHHHBBBBII")
    lines = [
        bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz      ", k=rng.randrange(4, 80))) for _ in range(500)
    ]
    server = bytes((10, 27, 27, 131))

    def connection(number):
        client = bytes((10, 27, number >> 8 & 255, number & 255))
        ports = 1024 + number % 60_000, 9898
        seqs = [rng.randrange(2**32), rng.randrange(2**32)]
        ident = number * 7

        def frame(way, flags, payload=b""):
            nonlocal ident
            ident += 1
            ends = (client, server) if way == 0 else (server, client)
            length = 52 + len(payload)
            header = ip.pack(0x45, 0, length, ident & 0xFFFF, 0x4000, 64, 6, 0, *ends)
            mine, theirs = seqs[way], seqs[1 - way] if flags & 16 else 0
            segment = tcp.pack(
                *(
                    ports[way],
                    ports[1 - way],
                    mine & 0xFFFFFFFF,
                    theirs & 0xFFFFFFFF,
                    0x8000 | flags,
                    502,
                    0,
                    0,
                ),
                *(1, 1, 8, 10, ident, ident - 1),
            )
            seqs[way] += len(payload) + (flags & 3 != 0)
            return bytes(12) + b"\x08\x00" + header + segment + payload

        yield frame(0, 2)
        yield frame(1, 18)
        yield frame(0, 16)
        for _ in range(rng.randrange(40, 120)):
            way = rng.randrange(2)
            yield frame(way, 24, rng.choice(lines))
            if rng.random() < 0.9:
                yield frame(1 - way, 16)
        yield frame(0, 17)
        yield frame(1, 17)
        yield frame(0, 16)

    time_ns, opened = 1_683_600_000_000_000_000, 0
    with open(path, "wb", buffering=1 << 20) as file, CaptureWriter(file, comment=f"seed {seed}") as writer:
        writer.add_interface("lo")
        live = []
        for _ in range(count):
            while len(live) < AT_ONCE:
                live.append(connection(opened))
                opened += 1
            place = rng.randrange(len(live))
            data = next(live[place], None)
            while data is None:
                live[place] = connection(opened)
                opened += 1
                data = next(live[place])
            time_ns += rng.randrange(1000, 20_000)
            writer.write(data, time_ns)


# --- what is measured, each in a process of its own ---


def processor_s() -> float:
    """Processor time that this process and its finished children have used."""
    usage = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in usage)


def timed(work, *arguments):
    """(seconds of processor time, what WORK gave)."""
    start = processor_s()
    result = work(*arguments)
    return processor_s() - start, result


def columns_of(path: str):
    """The row's columns, all of them computed."""
    from lab.dissect.tcp.segments import read_segments

    segments = read_segments(path)
    return segments, [
        *(segments.time_ns, segments.src, segments.dst, segments.sport, segments.dport, segments.flags),
        *(
            segments.relative_seq,
            segments.relative_ack,
            segments.window,
            segments.payload_length,
            segments.flow,
        ),
    ]


def child_ours(path: str) -> dict:
    """The best of five, in a process that has warmed up, as a notebook is."""
    results = [timed(columns_of, path) for _ in range(5)]
    return {"seconds": min(seconds for seconds, _ in results), "rows": len(results[0][1][0])}


def child_streams(path: str) -> dict:
    """Decode, then every stream of every flow as bytes; then one flow looked up and followed."""
    from lab.dissect.tcp.flows import find_flow, find_flows

    start, clock = processor_s(), time.perf_counter()
    segments, _ = columns_of(path)
    flows = find_flows(segments)
    total = sum(len(flow.from_initiator.data) + len(flow.from_responder.data) for flow in flows)
    found = {"seconds": processor_s() - start, "clock_seconds": time.perf_counter() - clock}
    follow = []
    for number in range(0, len(flows), len(flows) // 20 + 1):
        clock = time.perf_counter()
        find_flow(segments, number).from_initiator.data  # noqa: B018
        follow.append(time.perf_counter() - clock)
    return {**found, "bytes": total, "flows": len(flows), "follow_seconds": sorted(follow)[len(follow) // 2]}


def make_one_sided(path: Path) -> None:
    """One connection in which only the initiator writes: 16.8 MB in 11,600 segments."""
    from lab.dissect.files.capture_file import CaptureWriter
    from tests.dissect import packets

    ends = "10.0.0.1", "10.0.0.2"
    text = b"".join(b"line %4d of a long text that only one side writes\n" % number for number in range(40))[
        :1448
    ]
    with open(path, "wb") as file, CaptureWriter(file) as writer:
        writer.add_interface("lo")
        for i in range(11_600):
            segment = packets.tcp(
                *ends, 50_000, 9898, 1 + i * len(text), 1, packets.PSH | packets.ACK, payload=text
            )
            writer.write(packets.link(packets.ETHERNET, packets.ipv4(*ends, segment)), 10**18 + i * 1000)


def child_follow(path: str) -> dict:
    """``lab dissect --follow 0``, printed to nowhere."""
    from lab.commands.dissect import main

    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        seconds = min(timed(main, [path, "--follow", "0"])[0] for _ in range(3))
    return {"seconds": seconds}


def child_dpkt(path: str) -> dict:
    """dpkt, with the flow numbers and relative numbers that a row needs kept in dictionaries."""
    import dpkt

    def rows():
        flows, base, count = {}, {}, 0
        with open(path, "rb") as file:
            for stamp, data in dpkt.pcapng.Reader(file):
                packet = dpkt.ethernet.Ethernet(data).data
                tcp = packet.data
                ends = (packet.src, tcp.sport), (packet.dst, tcp.dport)
                flow = flows.setdefault(min(ends) + max(ends), len(flows))
                seq = (tcp.seq - base.setdefault(ends, tcp.seq - (not tcp.flags & 2))) & 0xFFFFFFFF
                back = base.setdefault(ends[::-1], tcp.ack - 1) if tcp.flags & 16 else 0
                row = (
                    stamp,
                    *ends,
                    tcp.flags,
                    seq,
                    (tcp.ack - back) & 0xFFFFFFFF,
                    tcp.win,
                    len(tcp.data),
                    flow,
                )
                count += len(row) > 0
        return count

    seconds, count = timed(rows)
    return {"seconds": seconds, "rows": count}


def child_scapy(path: str) -> dict:
    from lab.dissect.oracle import scapy_rows

    seconds, rows = timed(scapy_rows, path)
    return {"seconds": seconds, "rows": len(rows)}


def child_pyshark(path: str, use_json: bool = False) -> dict:
    from lab.dissect.oracle import pyshark_rows

    seconds, rows = timed(pyshark_rows, path, use_json)
    return {"seconds": seconds, "rows": len(rows)}


def child_pyshark_json(path: str) -> dict:
    return child_pyshark(path, use_json=True)


def child_read(path: str) -> dict:
    def read():
        size = 0
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                size += len(block)
        return size

    return {"seconds": min(timed(read)[0] for _ in range(3))}


def child_walk(path: str) -> dict:
    from lab.dissect.files.capture_file import read_capture

    return {"seconds": min(timed(read_capture, path)[0] for _ in range(3))}


def child_equal(path: str, theirs: str) -> dict:
    """Compare every row with tshark's, read from the file THEIRS."""
    import numpy as np
    import pandas

    segments, columns = columns_of(path)
    addresses = {segments.address(one): int(one) for one in np.unique(segments.src)}
    rows = 0
    for part in pandas.read_csv(theirs, sep="\t", names=TSHARK_FIELDS, chunksize=200_000, dtype=str):
        for name, column in zip(TSHARK_FIELDS, columns, strict=True):
            ours = column[rows : rows + len(part)]
            if name == "frame.time_epoch":
                other = part[name].str.replace(".", "", regex=False).astype("int64").to_numpy()
            elif name in ("ip.src", "ip.dst"):
                other = part[name].map(addresses).to_numpy()
            elif name == "tcp.flags":
                other = part[name].map(lambda text: int(text, 16)).to_numpy()
            else:
                other = part[name].astype("int64").to_numpy()
            if not (ours == other).all():
                raise SystemExit(
                    f"row {rows + int((ours != other).argmax()) + 1}: {name} differs from tshark's"
                )
        rows += len(part)
    if rows != len(segments):
        raise SystemExit(f"tshark has {rows} rows, we have {len(segments)}")
    return {"rows": rows}


# --- running them ---


class Cost(NamedTuple):
    processor_s: float
    clock_s: float
    peak_mb: float


def run(command: list[str], **options) -> Cost:
    """What a whole process costs."""
    start = time.perf_counter()
    child = subprocess.Popen(command, cwd=ROOT, **options)
    _, status, usage = os.wait4(child.pid, 0)
    clock = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command[0]} failed with exit code {child.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, clock, usage.ru_maxrss / 1024)


def ask(what: str, *arguments: str) -> dict:
    """Run child_WHAT in a process, and give what it found."""
    with tempfile.TemporaryFile("w+") as output:
        run(
            [sys.executable, "-m", "tests.bench.dissect", "--child", what, *map(str, arguments)],
            stdout=output,
        )
        output.seek(0)
        return json.loads(output.read())


def ours_whole(path: Path) -> Cost:
    """A process that does nothing but start and compute all columns."""
    code = (
        "import sys; from lab.dissect.tcp.segments import read_segments\n"
        "segments = read_segments(sys.argv[1]); segments.time_ns"
    )
    return run([sys.executable, "-c", code, str(path)])


def tshark(path: Path, output) -> Cost:
    fields = [word for field in TSHARK_FIELDS for word in ("-e", field)]
    command = [shutil.which("tshark"), "-n", "-r", str(path), "-T", "fields", *fields]
    return run(command, stdout=output, stderr=subprocess.DEVNULL)


def tcpflow(path: Path, folder: Path) -> Cost:
    with tempfile.TemporaryDirectory(dir=folder) as output:
        command = ["tcpflow", "-r", str(path), "-o", output, "-q", "-S", "enable_report=NO"]
        return run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Report:
    def __init__(self):
        self.failed = []

    def line(self, name: str, rate: float, ours: float, unit="segments/s") -> None:
        ratio = ours / rate
        demanded = DEMANDED.get(name)
        verdict = ""
        if demanded is not None:
            verdict = f"  demanded: {demanded:,}, {'met' if ratio >= demanded else 'NOT met'}"
            if ratio < demanded:
                self.failed.append(name)
        print(f"{name:34}{rate:>14,.0f} {unit}   ours is {ratio:>8,.1f} times as fast{verdict}", flush=True)

    def check(self, name: str, value: float, limit: float, text: str) -> None:
        good = value <= limit
        if not good:
            self.failed.append(name)
        print(f"{name:34}{text}  ({'met' if good else 'NOT met'})", flush=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.dissect", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--segments", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--keep", type=Path, help="a folder for the captures; they are used again if they are there"
    )
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.child:
        print(json.dumps(globals()[f"child_{arguments.child[0]}"](*arguments.child[1:])))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        return measure(folder, arguments.segments, arguments.seed)


def capture(folder: Path, count: int, seed: int) -> Path:
    path = folder / f"chat-{seed}-{count}.pcapng"
    if not path.exists():
        run(
            [
                sys.executable,
                "-c",
                f"from tests.bench.dissect import *; make(Path({str(path)!r}), {count}, {seed})",
            ]
        )
    return path


def measure(folder: Path, count: int, seed: int) -> int:
    report = Report()
    big, small = capture(folder, count, seed), capture(folder, 50_000, seed)
    print(f"{count:,} segments from seed {seed}, {big.stat().st_size / 1e6:.0f} MB; {os.cpu_count()} cores\n")
    whole = min(ours_whole(big) for _ in range(3))
    warm = ask("ours", big)
    ours = count / warm["seconds"]
    print(f"{'this kit, decode only':34}{ours:>14,.0f} segments/s")
    print(f"{'this kit, whole process':34}{count / whole.processor_s:>14,.0f} segments/s")
    print(f"{'limit: reading the file':34}{count / ask('read', big)['seconds']:>14,.0f} segments/s")
    print(f"{'limit: a walk over its records':34}{count / ask('walk', big)['seconds']:>14,.0f} segments/s\n")
    if shutil.which("tshark"):
        with open(folder / "tshark.tsv", "w+b") as rows:
            theirs = tshark(big, rows)
        small_theirs = min(tshark(small, subprocess.DEVNULL).processor_s for _ in range(3))
        small_ours = min(ours_whole(small).processor_s for _ in range(5))
        # What the segments beyond 50,000 cost is decoding alone, without the start.
        decode = (count - 50_000) / (theirs.processor_s - small_theirs) if count >= 200_000 else 0
        if decode:
            report.line("tshark, decode only", decode, ours)
            report.line("tshark, whole process", count / theirs.processor_s, count / whole.processor_s)
        report.line("tshark, whole process at 50,000", 50_000 / small_theirs, 50_000 / small_ours)
        share = whole.peak_mb / theirs.peak_mb
        text = f"{whole.peak_mb:.0f} MB, tshark {theirs.peak_mb:.0f} MB: {share:.2f} of it, demanded: 0.5"
        report.check("peak memory", share, 0.5, text)
        print(
            f"{'rows equal to tshark':34}{ask('equal', big, folder / 'tshark.tsv')['rows']:,}\n", flush=True
        )
    for name, child, some in (
        ("pyshark", "pyshark", 2_000),
        ("pyshark, JSON", "pyshark_json", 10_000),
        ("scapy", "scapy", 20_000),
        ("dpkt", "dpkt", 100_000),
    ):
        if importlib.util.find_spec(name.split(",")[0]) and (
            shutil.which("tshark") or child in ("scapy", "dpkt")
        ):
            found = ask(child, capture(folder, some, seed))
            report.line(name, found["rows"] / found["seconds"], ours)
    print()
    # By turns, so that a busy moment of the machine meets both.
    turns = [
        (ask("streams", big), tcpflow(big, folder) if shutil.which("tcpflow") else None) for _ in range(3)
    ]
    streams = min((one for one, _ in turns), key=lambda one: one["seconds"])
    if turns[0][1] is not None:
        theirs = min(cost.clock_s for _, cost in turns)
        clock = min(one["clock_seconds"] for one, _ in turns)
        report.line("tcpflow", count / theirs, count / clock, "by the clock")
        theirs = min(cost.processor_s for _, cost in turns)
        report.line("tcpflow, processor time", count / theirs, count / streams["seconds"])
    megabytes = streams["bytes"] / 1e6
    text = f"{megabytes:.1f} MB of {streams['flows']:,} flows in {streams['seconds']:.2f} s, decoded too"
    print(f"{'all streams put together':34}{text}")
    follow = min(one["follow_seconds"] for one, _ in turns) * 1e3
    report.check("one stream followed", follow, 5, f"{follow:.2f} ms after the decode, demanded: 5")
    long = folder / "one-sided.pcapng"
    make_one_sided(long)
    printed = ask("follow", long)["seconds"]
    report.check("--follow of one side, 16.8 MB", printed, 1, f"{printed:.2f} s, demanded: 1")
    small_warm = ask("ours", small)["seconds"] / 50_000
    growth = warm["seconds"] / count / small_warm
    text = f"a segment of {count:,} costs {growth:.2f} times one of 50,000, demanded: 1.5"
    report.check("linear cost", growth, 1.5, text)
    print("\n" + (f"NOT met: {', '.join(report.failed)}" if report.failed else "All demands are met."))
    return 1 if report.failed else 0


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
