"""``python3 lab cluster``: a scheduler for ``lab grade --on``; ``python3 lab cluster ADDRESS``: workers for it.

Run the scheduler once, and the workers on each machine that has the kit. All of them run what they are sent by whoever can
reach them. The scheduler listens on this machine alone unless you name an address of a network that you trust; workers listen
at their machine's address on the way to the scheduler.
"""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import NoReturn

from lab.commands import at_least_one, command_line, refuse, scheduler_address
from lab.instructor.cluster import NO_DASK
from lab.net import namespace
from lab.setup.paths import ROOT

WORKER_TTL = "60s"  # then the scheduler takes the work of a silent worker away
RETRY_S = 5
END_S = 30.0  # Dask gives the tasks under way some eight


def main(argv: list[str] | None = None) -> int:
    parser = command_line("cluster", "Grade or record on many machines.")
    add = parser.add_argument
    workers = "start workers for this scheduler, as tcp://host:8786"
    add("address", nargs="?", type=scheduler_address, help=workers)
    add("--host", default="127.0.0.1", help="the scheduler's address (default: %(default)s)")
    add("--port", type=int, default=8786, help="the scheduler's port (default: %(default)s)")
    add("--jobs", type=at_least_one, default=os.cpu_count() or 2, help="workers (default: %(default)s)")
    options = parser.parse_args(argv)
    if not importlib.util.find_spec("distributed"):
        return refuse("cluster", NO_DASK)
    try:  # before Dask, which prints a traceback, and takes a port modulo 65,536
        host = own_address(options.address) if options.address else options.host
        if not options.address:
            socket.create_server((host, options.port)).close()
    except (OSError, OverflowError) as error:
        reason = str(getattr(error, "strerror", error)).partition(" (")[0]
        where, fix = f"--host {options.host} --port {options.port}", "choose another"
        if options.address:
            where, fix = options.address, "use the address that the scheduler has printed"
        return refuse("cluster", f"{where} cannot be used: {reason}; {fix}")
    environ = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": WORKER_TTL} | os.environ | {"PYTHONPATH": str(ROOT)}
    # Without --dashboard-address, Dask would listen at all addresses for questions about its health.
    listen = ["--host", host, "--no-dashboard", "--dashboard-address", f"{host}:0"]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as after Ctrl-C
    with tempfile.TemporaryDirectory(prefix="lab-cluster-") as folder:
        environ["DASK_TEMPORARY_DIRECTORY"] = folder
        if options.address:
            return _run_workers([options.address, *listen, "--nworkers", str(options.jobs)], environ)
        address = f"tcp://{host}:{options.port}"
        print(
            f"Workers: python3 lab cluster {address}",
            f"Grading: python3 lab grade ... --on {address}",
            sep="\n",
        )
        return _run("scheduler", [*listen, "--port", str(options.port)], environ)


def _run_workers(arguments: list[str], environ: dict[str, str]) -> NoReturn:
    """Run workers until Ctrl-C: they end with their scheduler, which may come back."""
    while True:
        _run("worker", [*arguments, "--nthreads", "1"], environ)
        print(f"lab cluster: the workers have ended; again in {RETRY_S} s (Ctrl-C ends)", file=sys.stderr)
        time.sleep(RETRY_S)


def own_address(scheduler: str) -> str:
    """Return this machine's address on the way to a scheduler. Raise OSError where there is no way."""
    host, port = scheduler.removeprefix("tcp://").rsplit(":", 1)
    [(family, kind, _, _, address), *_] = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_DGRAM)
    with socket.socket(family, kind) as probe:
        probe.connect(address)  # a datagram socket: nothing is sent
        return str(probe.getsockname()[0])


def _run(program: str, arguments: list[str], environ: dict[str, str]) -> int:
    """Run Dask's program and return its exit code; the program ends before this function does."""
    sys.stdout.flush()
    command = [sys.executable, "-m", f"distributed.cli.dask_{program}", *arguments]
    process = subprocess.Popen(command, env=environ)
    try:
        return process.wait()
    finally:
        namespace.end(process, END_S, signal.SIGTERM)
