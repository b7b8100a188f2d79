"""How the chat server does beside others, in ratios of one run: ``python -m tests.bench.chat``.

Each server is a process of its own on a core of its own, the clients are one other process (tests/bench/load.py) on
another core, all of it on 127.0.0.1.
Servers take turns, ``--repeat`` times, and a ratio compares neighbours of one turn; what is printed is the median of
the turns. A load generator near 100 % of a core would be what is measured, so its share is printed too.
Beside other work on the same cores, trust the lines per second of the server's own CPU time.

    (no option)       lines delivered a second at 10, 100 and 1,000 clients, everyone
                      waiting until its line has reached all
    --latency         p50 and p99 at fixed rates, 100 clients
    --idle N          N idle connections: the storm of their arrival, memory each (10,000 unless said otherwise)
    --overload        torn and lost lines when clients send faster than anyone can read
    --story           the stages from the report's server to ours (lab/stages), each measured
"""

import argparse
import json
import os
import resource
import socket
import statistics
import sys
import time
from pathlib import Path

from tests.bench import end_on_sigterm, load, servers
from tests.bench.load import Crowd

OURS = ("ours, report wire", "ours, json wire")
BEFORE = ("before, report wire", "before, json wire")
OTHERS = ("report", "nodelay", "asyncio", "websockets", "ngircd")
STORY = (
    ("report", "one lock, one send for each message and client, Nagle's algorithm left on"),
    ("nodelay", "TCP_NODELAY: no message waits for the acknowledgement of the one before"),
    ("backlog", "listen(4096): the kernel lets a crowd in at once"),
    ("framed", "the json wire: messages are forwarded, not reads"),
    ("broadcaster", "one thread delivers, and waits for nobody"),
    ("ours, json wire", "the broadcaster joins what is queued into one send for each client"),
)
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
STORM = 1_000  # so many knock at once, all the time, until all are in
CROWD_S = 20  # longer than this nobody waits at a door
SMALL_BACKLOG = ("report", "nodelay")


def available(names) -> list[str]:
    """Those that can be run here; says which cannot, and why."""
    found = []
    for name in names:
        if name == "ngircd" and servers.ngircd_path() is None:
            print("ngircd: left out, it is not installed (apt install ngircd)", file=sys.stderr)
            continue
        if name == "websockets":
            try:
                import websockets  # noqa: F401
            except ImportError:
                print("websockets: left out, it is not installed (pip install websockets)", file=sys.stderr)
                continue
        found.append(name)
    return found


def pace(name: str) -> dict:
    """Return how clients connect: more at once than a small backlog takes would wait for their SYN to be sent again."""
    return {"together": 1, "gap_s": 0.003} if name in SMALL_BACKLOG else {"together": 64}


def throughput(name: str, clients: int, seconds: float) -> dict:
    """Lines delivered a second; None where the server did not manage to let everyone in, or stood still."""
    try:
        with servers.running(name) as (port, pid), Crowd(name, port, clients) as crowd:
            crowd.connect(**pace(name))
            crowd.settle()
            before = cpu_s(pid)
            result = crowd.rounds(seconds)
            result["lines_per_cpu_s"] = result["lines"] / max(cpu_s(pid) - before, 1 / CLOCK_TICKS)
            return result
    except (AssertionError, OSError) as error:
        return {"lines_per_s": None, "failed": str(error)}


def latency(name: str, clients: int, rate: float, seconds: float) -> dict:
    with servers.running(name) as (port, _), Crowd(name, port, clients) as crowd:
        crowd.connect(**pace(name))
        crowd.settle()
        return crowd.at_rate(rate, seconds)


def idle(name: str, clients: int, bound_s: float = load.ROUND_S) -> dict:
    """The storm of arrivals, until a line has reached everyone; and the memory that each then takes."""
    with servers.running(name) as (port, pid), Crowd(name, port, clients) as crowd:
        before = resident_bytes(pid)
        started = time.perf_counter()
        crowd.connect(together=STORM)
        connected = time.perf_counter() - started
        crowd.settle(bound_s)
        return {
            "connected_s": connected,
            "bytes_per_client": (resident_bytes(pid) - before) / clients,
            "threads": threads(pid),
        }


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used. Beside other work, it says more than the clock on the wall."""
    with open(f"/proc/{pid}/stat") as file:
        user, system = file.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / CLOCK_TICKS


def resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def threads(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Threads"))


def overload(name: str, clients: int = 10, each: int = 3_000) -> dict:
    """Every client sends ``each`` lines as fast as its socket takes them; what the first one gets, line by line."""
    with servers.running(name) as (port, _), Crowd(name, port, clients) as crowd:
        crowd.connect(**pace(name))
        crowd.settle()
        unsent = {
            sock: b"".join(crowd.protocol.line(n, i) for i in range(1, each + 1))
            for n, sock in enumerate(crowd.sockets)
        }
        deadline, wanted = time.perf_counter() + load.ROUND_S, (clients - (not crowd.protocol.echoes)) * each
        first, quiet = bytearray(), time.perf_counter()
        while time.perf_counter() < deadline and time.perf_counter() - quiet < 2:
            for sock, data in list(unsent.items()):
                try:
                    unsent[sock] = data[sock.send(data[:4096]) :]
                except BlockingIOError:
                    pass
                if not unsent[sock]:
                    del unsent[sock]
            for fd, _ in crowd.poll.poll(0.001):
                data = crowd.sockets[crowd.by_fd[fd]].recv(load.READ_BYTES)
                quiet = time.perf_counter()
                if not crowd.by_fd[fd]:
                    first += data
    whole = 0
    for line in bytes(first).split(b"\n"):
        found = load.LINE.search(line)  # whole, and from one sender alone
        whole += bool(found and len(load.LINE.findall(line)) == 1 and line.count(b"<c") <= 1)
    return {"wanted": wanted, "whole": whole, "torn_or_lost": wanted - whole}


def silent_reader(name: str, clients: int = 10, rate: int = 2_000, seconds: float = 8) -> dict:
    """One client stops reading, the others send 400 bytes at a fixed rate: how long until the room stands still?"""
    with servers.running(name) as (port, _), Crowd(name, port, clients) as crowd:
        crowd.connect(**pace(name))
        crowd.settle()
        silent = crowd.sockets[-1]
        crowd.poll.unregister(silent)
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line = crowd.protocol.line(0, 1).replace(b"x" * 40, b"x" * 380)
        started = heard = time.perf_counter()
        sent = got = 0
        while (now := time.perf_counter()) - started < seconds:
            while now >= started + sent / rate:
                try:
                    crowd.sockets[sent % (clients - 1)].send(line)
                except BlockingIOError:
                    pass
                sent += 1
            for fd, _ in crowd.poll.poll(0.001):
                got += crowd.sockets[crowd.by_fd[fd]].recv(load.READ_BYTES).count(b"\n")
                heard = time.perf_counter()
        still = heard < started + seconds - 1
        return {"stands_still_after_s": heard - started if still else None, "delivered": got}


def turns(names, clients: int, seconds: float, repeat: int) -> dict[str, list[dict]]:
    results: dict[str, list[dict]] = {name: [] for name in names}
    for _ in range(repeat):
        for name in names:
            results[name].append(throughput(name, clients, seconds))
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results


def median(values) -> float | None:
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def show_throughput(results: dict[str, list[dict]], clients: int) -> None:
    print(
        f"\n{clients} clients: thousands of lines delivered a second, and ours beside it (median of the turns)"
    )
    print(
        f"{'':26}{'k lines/s':>10}{'report wire':>13}{'json wire':>12}{'generator':>11}{'lost':>6}{'torn':>6}",
        end="",
    )
    print(f"{'k a CPU second':>17}{'report wire':>13}{'json wire':>12}")
    for name, runs in results.items():
        speed = median(run["lines_per_s"] for run in runs)
        if speed is None:
            print(f"{name:26}  {runs[0]['failed']}")
            continue
        ratios = [
            ratio(results, ours, name, key) for key in ("lines_per_s", "lines_per_cpu_s") for ours in OURS
        ]
        share, thrift = (median(run.get(key) for run in runs) for key in ("generator_cpu", "lines_per_cpu_s"))
        lost, torn = (sum(run.get(key, 0) for run in runs) for key in ("lost", "torn_at_one_client"))
        print(
            f"{name:26}{speed / 1e3:>10,.0f}{ratios[0]:>13}{ratios[1]:>12}{share:>10.0%} {lost:>6}{torn:>6}",
            end="",
        )
        print(f"{thrift / 1e3:>17,.0f}{ratios[2]:>13}{ratios[3]:>12}")


def ratio(results: dict[str, list[dict]], ours: str, name: str, key: str) -> str:
    """Ours against another, turn by turn: the median."""
    pairs = zip(results.get(ours, []), results[name], strict=False)
    found = median(a[key] / b[key] for a, b in pairs if a.get(key) and b.get(key))
    return f"{found:.2f} x" if found and name not in OURS else ""


def story(seconds: float) -> list[dict]:
    """The stages, each with what it mends; the order is the lesson."""
    steps = []
    for name, change in STORY:
        step = {"server": name, "change": change}
        for clients in (10, 100):
            step[f"lines_per_s_{clients}"] = throughput(name, clients, seconds)["lines_per_s"]
        try:
            step["crowd_of_500_s"] = idle(name, 500, bound_s=CROWD_S)["connected_s"]
        except (AssertionError, OSError) as error:
            step["crowd_of_500_s"] = None
            step["crowd"] = str(error)
        step |= {f"overload_{key}": value for key, value in overload(name, each=1_000).items()}
        step |= silent_reader(name)
        steps.append(step)
    return steps


def show_story(steps: list[dict]) -> None:
    def number(value):
        return "-" if value is None else f"{value:,.0f}"

    print(
        f"{'step':36}{'10 clients':>13}{'100 clients':>13}{'500 arrive':>12}{'torn, lost':>12}{'one silent reader':>26}"
    )
    for step in steps:
        still = step["stands_still_after_s"]
        crowd = f"not in {CROWD_S} s" if step["crowd_of_500_s"] is None else f"{step['crowd_of_500_s']:.2f} s"
        print(
            f"{step['server']:36}{number(step['lines_per_s_10']):>13}{number(step['lines_per_s_100']):>13}"
            f"{crowd:>12}{number(step['overload_torn_or_lost']):>12}"
            f"{'nobody notices' if still is None else f'all stand still, {still:.1f} s':>26}"
        )
        print(f"    {step['change']}")
    print("(lines delivered a second; torn and lost of 10,000 sent at once)")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.chat",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--clients", default="10,100,1000", help="crowds to measure (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=3, help="each server, each turn (default: %(default)s)"
    )
    parser.add_argument("--repeat", type=int, default=7, help="turns (default: %(default)s)")
    parser.add_argument("--servers", help="of: " + "; ".join((*OURS, *OTHERS)) + " (separated by semicolons)")
    parser.add_argument(
        "--before", type=Path, metavar="DIR", help="beside an earlier checkout of the kit, and no other"
    )
    parser.add_argument("--latency", action="store_true")
    parser.add_argument("--idle", type=int, nargs="?", const=10_000, metavar="N")
    parser.add_argument("--overload", action="store_true")
    parser.add_argument("--story", action="store_true")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    options = parser.parse_args(argv)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    usual = OURS + (BEFORE if options.before else OTHERS)
    names = available([name.strip() for name in options.servers.split(";")] if options.servers else usual)
    servers.earlier = options.before
    figures: dict = {}

    if options.story:
        figures["story"] = story(options.seconds)
        show_story(figures["story"])
    elif options.latency:
        for rate in (10, 50, 200):
            print(f"\n100 clients, {rate} lines a second in all: milliseconds until each has a line")
            for name in names:
                result = figures[f"{name}, {rate}/s"] = latency(name, 100, rate, options.seconds)
                print(
                    f"{name:34}p50 {result['p50_ms']:8.2f}   p99 {result['p99_ms']:8.2f}   lost {result['lost']}"
                )
    elif options.idle:
        print(f"{options.idle:,} connections at once, then idle")
        for name in names:
            if name not in ("ours, json wire", "websockets") and not options.servers:
                continue  # on the others nothing says when somebody is in
            try:
                result = figures[name] = idle(name, options.idle)
            except (AssertionError, OSError) as error:
                print(f"{name:34}failed: {error}")
                continue
            print(
                f"{name:34}in {result['connected_s']:6.2f} s   {result['bytes_per_client'] / 1024:6.1f} KiB a client   "
                f"{result['threads']:,} threads"
            )
    elif options.overload:
        for name in names:
            result = figures[name] = overload(name)
            print(f"{name:34}{result['torn_or_lost']:>8,} of {result['wanted']:,} lines torn or lost")
    else:
        for clients in map(int, options.clients.split(",")):
            figures[str(clients)] = results = turns(names, clients, options.seconds, options.repeat)
            show_throughput(results, clients)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)
    return 0


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
