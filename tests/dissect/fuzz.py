"""Hostile bytes, by the thousand: ``python -m tests.dissect.fuzz [--mutants 100000] [--jobs 2]``.

Sound captures are damaged in seeded ways (bits flipped, lengths replaced by absurd ones, pieces cut out,
doubled, mixed) and each mutant is put through everything the dissector does. Allowed is a ``CaptureError``;
any other exception, more than SECONDS for one mutant, or more memory than MEMORY is a find. A mutant's
number and the seed make it again.
"""

import argparse
import gzip
import random
import resource
import signal
import subprocess
import sys
import traceback
import warnings
from pathlib import Path

from lab.dissect.fields.frame import dissect_frame
from lab.dissect.files.capture_file import CaptureError, parse_capture
from lab.dissect.packets.other_frames import describe
from lab.dissect.tcp.flows import find_flows
from lab.dissect.tcp.segments import read_segments
from lab.dissect.tls.certificates import certificate_names
from lab.dissect.tls.records import APPLICATION_DATA
from lab.dissect.tls.session import open_flow
from tests.dissect import links, packets
from tests.dissect.frames import other_frames
from tests.dissect.generator import LINKS, Conversation
from tests.dissect.tls_traffic import play, write_capture
from tests.support import ROOT

SECONDS = 10  # for one mutant; they take milliseconds
MEMORY = 1 << 30  # bytes on top of what the process has when the fuzzing begins
INTERESTING = (0, 1, 2, 3, 4, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)


def corpus(folder: Path) -> list[bytes]:
    """Small sound captures of every form."""
    found = []
    for seed, link in enumerate(sorted(set(LINKS))):
        talk = Conversation(seed + 40, link)
        frames = talk.play()[:25]
        found.append(packets.pcap(frames, link, "<>"[seed % 2], bool(seed % 3)))
        order = "><"[seed % 2]
        blocks = packets.section(order) + packets.interface(link, order)
        for time_ns, data, original in frames:
            blocks += packets.packet(
                time_ns, data, original, order=order, comment="why" if original % 3 else ""
            )
        found.append(blocks)
    odd = (
        packets.section()
        + packets.interface(snap_length=80)
        + packets.block(4, bytes(8))
        + packets.block(5, bytes(12))
    )
    for i, data in enumerate(other_frames()):
        odd += (packets.simple_packet if i % 2 else lambda d, n: packets.old_packet(7, d, n))(
            data[:80], len(data)
        )
    types = sorted({link for link, *_ in (*links.READ.values(), *links.not_read())})
    nested = packets.section() + b"".join(packets.interface(link) for link in types)
    wrapped = [
        (link, wrap(packet)) for link, wrap in links.READ.values() for packet in links.read_packets()[::2]
    ]
    for link, data in wrapped + [(link, data) for link, _, data in links.not_read()]:
        nested += packets.packet(0, data, len(data), types.index(link))
    found += [odd, nested, gzip.compress(found[0])]
    tls = (("1.3", None), ("1.2", "ECDHE-RSA-CHACHA20-POLY1305"), ("1.1", "ALL:@SECLEVEL=0"))
    for version, ciphers in tls:
        played = play(version=version, ciphers=ciphers, lines=2, tickets=1)
        write_capture(folder / "tls.pcapng", played["wire"], played["keys"], segment=500)
        found.append((folder / "tls.pcapng").read_bytes())
    return found


def mutate(rng: random.Random, sound: list[bytes]) -> bytes:
    data = bytearray(rng.choice(sound))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8, 30))):
        if not data:
            break
        place, kind = rng.randrange(len(data)), rng.randrange(9)
        if kind == 0:
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[place] = rng.randrange(256)
        elif kind in (2, 3, 4):  # a length, most likely
            width, order = rng.choice((1, 2, 2, 4, 4)), rng.choice(("little", "big"))
            place -= place % width
            value = rng.choice((*INTERESTING, len(data), len(data) - place)) + rng.randrange(-1, 2)
            data[place : place + width] = (value % (1 << 8 * width)).to_bytes(width, order)
        elif kind == 5:
            del data[place : place + rng.choice((1, 2, 4, 16, 200))]
        elif kind == 6:
            length = rng.choice((1, 4, 32, 400))
            data[place:place] = data[place : place + length] * rng.choice((1, 2, 20))
        elif kind == 7:
            other = rng.choice(sound)
            start = rng.randrange(len(other))
            data[place : place + 64] = other[start : start + rng.choice((4, 64, 500))]
        else:
            del data[place:]
    return bytes(data)


def through_everything(data: bytes) -> bool:
    """Dissect DATA in every way there is; False if it was refused with a CaptureError."""
    try:
        capture = parse_capture(data)
    except CaptureError as error:
        assert "\n" not in str(error)
        return False
    segments = read_segments(capture)
    others = {name: len(numbers) for name, numbers in segments.not_looked_into.items()}
    assert len(segments) + sum(others.values()) == len(capture)
    assert describe(others) or not others
    assert len(segments.scaled_window) == len(segments.options.sack_left) == len(segments)
    for i in range(0, len(segments), 5):
        assert segments.info(i) and segments.endpoint(i)
        assert len(segments.payload(i)) == segments.payload_captured[i] <= segments.payload_length[i]
    for flow in find_flows(segments):
        assert flow.closing and repr(flow)
        assert flow.handshake is None or flow.handshake.agreed
        assert len(flow.events) >= 0
        for stream in (flow.from_initiator, flow.from_responder):
            assert len(stream.data) == len(stream) == sum(piece.length for piece in stream.pieces)
            assert all(gap.length > 0 for gap in stream.gaps)
        session = open_flow(flow)
        if session is not None:
            hellos = [one for one in session.messages if one.name == "Client Hello"]
            assert session.server_name is None or hellos
            assert session.alerts is not None
            for one in session.records:
                assert one.encrypted or one.record.content_type != APPLICATION_DATA
            for certificate in session.certificates:
                certificate_names(certificate)
    for number in range(1, len(capture) + 1, 4):
        frame = bytes(capture.frame(number))
        tree = dissect_frame(frame, capture.link_type(number))
        assert sum(leaf.bit_length for leaf in tree.leaves()) == 8 * len(frame)
    return True


class TooSlow(BaseException):
    """Not an Exception, so that nothing on the way can swallow it."""


def _ring(*_arguments):
    raise TooSlow


def fuzz(mutants: range, seed: int, folder: Path) -> int:
    """Run the MUTANTS with these numbers; gives how many were finds, each written into FOLDER."""
    warnings.simplefilter("error", RuntimeWarning)  # an overflow that numpy only warns of is a find as well
    sound = corpus(folder)
    for one in sound:
        assert through_everything(one), "the corpus itself must be sound"
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGALRM, _ring)
    finds = accepted = 0
    for number in mutants:
        data = mutate(random.Random(f"{seed} {number}"), sound)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            accepted += through_everything(data)
        except (Exception, TooSlow):
            finds += 1
            (folder / f"find-{seed}-{number}").write_bytes(data)
            print(f"mutant {number} of seed {seed}:\n{traceback.format_exc()}", flush=True)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    print(
        f"{len(mutants)} mutants: {accepted} read, {len(mutants) - accepted - finds} refused, {finds} finds",
        flush=True,
    )
    return finds


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.dissect.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes to share the work")
    parser.add_argument("--folder", type=Path, default=Path("fuzz-finds"), help="where finds are written")
    chosen = parser.parse_args(argv)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    share = -(-chosen.mutants // chosen.jobs)
    last = chosen.first + chosen.mutants
    if chosen.jobs == 1:
        return int(fuzz(range(chosen.first, last), chosen.seed, chosen.folder) > 0)
    jobs = []
    for first in range(chosen.first, last, share):
        folder = chosen.folder / f"job-{first}"
        command = [
            sys.executable,
            "-m",
            "tests.dissect.fuzz",
            "--seed",
            str(chosen.seed),
            "--folder",
            str(folder.resolve()),
        ]
        command += ["--first", str(first), "--mutants", str(min(share, last - first))]
        jobs.append(subprocess.Popen(command, cwd=ROOT))
    return max([job.wait() for job in jobs])


if __name__ == "__main__":
    sys.exit(main())
