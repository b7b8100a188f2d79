"""``python3 lab cluster``: a scheduler for ``lab grade --on``; ``python3 lab cluster ADDRESS``: workers for it.

Run the scheduler once, and the workers on each machine that has the kit. The scheduler trusts whoever can reach it: it
listens on this machine alone unless you name an address of a network that you trust.
"""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

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
    environ = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": WORKER_TTL} | os.environ | {"PYTHONPATH": str(ROOT)}
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as after Ctrl-C
    program = "worker" if options.address else "scheduler"
    dask = [sys.executable, "-m", f"distributed.cli.dask_{program}"]
    if not options.address:
        try:  # first, since Dask prints a traceback, and takes a port modulo 65,536
            socket.create_server((options.host, options.port)).close()
        except (OSError, OverflowError) as error:
            reason = str(getattr(error, "strerror", error)).partition(" (")[0]
            return refuse(
                "cluster", f"cannot listen at --host {options.host} --port {options.port}: {reason}"
            )
        address = f"tcp://{options.host}:{options.port}"
        print(
            f"Workers: python3 lab cluster {address}\nGrading: python3 lab grade ... --on {address}",
            flush=True,
        )
    with tempfile.TemporaryDirectory(prefix="lab-cluster-") as folder:
        environ["DASK_TEMPORARY_DIRECTORY"] = folder
        settings = ["--no-dashboard"]
        if not options.address:
            where = ["--host", options.host, "--port", str(options.port)]
            return _run([*dask, *where, *settings], environ)
        settings += ["--nworkers", str(options.jobs), "--nthreads", "1"]
        while True:  # until Ctrl-C: workers end with their scheduler, which may come back
            _run([*dask, options.address, *settings], environ)
            print(f"lab cluster: the workers have ended; again in {RETRY_S} s (Ctrl-C ends)", file=sys.stderr)
            time.sleep(RETRY_S)


def _run(command: list[str], environ: dict[str, str]) -> int:
    """Run Dask's program and return its exit code; the program ends before this function does."""
    process = subprocess.Popen(command, env=environ)
    try:
        return process.wait()
    finally:
        namespace.end(process, END_S, signal.SIGTERM)
