"""How fast the kit's switch is, with the kernel's own bridge measured beside it:  python -m tests.bench.switch

Two hosts on one switch. *Round trip*: PC1 sends a small UDP datagram, the server's program returns it, one at a
time; what the switch adds is the difference of the medians, for two passages. *Through*: the sender hands frames to
its card as fast as a core can, or at a set pace, and the receiver's card counts what arrives. The kit's switch, the
same with a condition of 0, and the bridge take turns, round after round, so that a busy machine is busy for all.
Nothing is asserted: figures belong to a machine, and this prints both.
"""

import argparse
import json
import statistics
import sys
import time

from lab.net.lan import Lan
from lab.net.plan import host
from tests.bench import end_on_sigterm

HOSTS = (host("PC1", "10.0.0.1/24"), host("server", "10.0.0.2/24"))

ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 7))
print("ready", flush=True)
while True:
    s.sendto(*s.recvfrom(2048))
"""

ROUND_TRIPS = """
import json, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect(("10.0.0.2", 7))
times = []
for _ in range(int(sys.argv[1])):
    before = time.perf_counter()
    s.send(b"x" * 18)
    s.recv(2048)
    times.append(time.perf_counter() - before)
print(json.dumps(times))
"""

# Raw frames, so that neither host's IP counts for more than it must: 60 bytes, a local experimental EtherType
BLAST = """
import socket, sys, time
seconds, pace = float(sys.argv[1]), float(sys.argv[2])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
frame = bytes.fromhex(sys.argv[3].replace(":", "")) + b"\\x88\\xb5" + bytes(46)
sent, refused, begin = 0, 0, time.perf_counter()
while (passed := time.perf_counter() - begin) < seconds:
    due = int(passed * pace) - sent if pace else 64
    if due <= 0:
        time.sleep(0.0002)
    for _ in range(due):
        try:
            s.send(frame)
        except OSError:
            refused += 1
        sent += 1
print(sent, refused, time.perf_counter() - begin)
"""


def received_frames(lan: Lan) -> int:
    """Return how many frames have reached the server's card, by its own counter."""
    table = lan["server"].run(["cat", "/proc/net/dev"]).stdout
    return int(table.split("eth0:")[1].split()[1])


def settled_frames(lan: Lan) -> int:
    """Return the counter once it no longer grows."""
    last = -1
    while (count := received_frames(lan)) != last:
        last = count
    return count


def through(lan: Lan, seconds: float, pace: float) -> dict:
    """Send for so many seconds at ``pace`` frames/s (0: flat out); return frames/s offered and delivered, and loss."""
    macs = lan["server"].interfaces["eth0"] + lan["PC1"].interfaces["eth0"]  # destination first
    before = settled_frames(lan)
    printed = lan["PC1"].run([sys.executable, "-c", BLAST, str(seconds), str(pace), macs]).stdout.split()
    sent, duration_s = int(printed[0]), float(printed[2])
    arrived = settled_frames(lan) - before
    return {
        "offered": sent / duration_s,
        "delivered": arrived / duration_s,
        "lost": max(0.0, 1 - arrived / sent),
    }


def round_trips(lan: Lan, count: int) -> list[float]:
    with lan["server"].popen([sys.executable, "-c", ECHO], stdout=-1, text=True) as echo:
        echo.stdout.readline()
        times = json.loads(lan["PC1"].run([sys.executable, "-c", ROUND_TRIPS, str(count)]).stdout)
        echo.kill()
    return times[10:]  # without the address resolution and the first look at everything


def measure(rounds: int, count: int, seconds: float, pace: float) -> dict:
    """All kinds, ``rounds`` times in turn; return the raw figures by kind."""
    kinds = {"kit": {}, "kit, condition 0": {}, "bridge": {"bridge": True}}
    figures = {kind: {"build_s": [], "round_trip_s": [], "paced": [], "flat_out": []} for kind in kinds}
    for _ in range(rounds):
        for kind, options in kinds.items():
            before = time.perf_counter()
            with Lan(HOSTS, **options) as lan:
                figures[kind]["build_s"].append(time.perf_counter() - before)
                if kind == "kit, condition 0":
                    lan.condition(delay_s=0, loss=0)
                figures[kind]["round_trip_s"] += round_trips(lan, count)
                figures[kind]["paced"].append(through(lan, seconds, pace))
                figures[kind]["flat_out"].append(through(lan, seconds, 0))
    return figures


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=3000, help="round trips in each round")
    parser.add_argument("--seconds", type=float, default=2.0, help="of sending in each round")
    parser.add_argument("--pace", type=float, default=20_000, help="frames/s of the paced sending")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    figures = measure(arguments.rounds, arguments.count, arguments.seconds, arguments.pace)
    if arguments.json:
        print(json.dumps(figures))
        return 0
    base_s = statistics.median(figures["bridge"]["round_trip_s"])
    paced = f"at {arguments.pace:,.0f}/s lost"
    flat_out = "flat out, delivered/s"
    print(f"{'':18}{'round trip, us':>32}{'one passage adds':>18}{paced:>20}{flat_out:>24}{'built in':>10}")
    print(
        f"{'':18}{'median':>12}{'95 %':>10}{'99 %':>10}{'over the bridge':>18}{'min ... max':>20}{'min ... max':>24}"
    )
    for kind, found in figures.items():
        trips = statistics.quantiles(found["round_trip_s"], n=100)
        lost = [one["lost"] for one in found["paced"]]
        rate = [one["delivered"] for one in found["flat_out"]]
        print(f"{kind:18}{trips[49] * 1e6:12.0f}{trips[94] * 1e6:10.0f}{trips[98] * 1e6:10.0f}"
              f"{(trips[49] - base_s) / 2 * 1e6:15.0f} us{min(lost):11.2%} ... {max(lost):.2%}"
              f"{min(rate):13,.0f} ... {max(rate):,.0f}{statistics.median(found['build_s']):8.2f} s")  # fmt: skip
    return 0


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
