"""Work spread over a cluster: the same grades as on one machine, and each result once whatever dies."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from lab.harness.student_capture import PLAIN, is_complete
from lab.instructor import cluster
from lab.instructor.cluster import ClusterError
from tests.bench import submissions_of_a_class as bench
from tests.instructor.conftest import record_class
from tests.support import ROOT

pytest.importorskip("distributed", reason="Dask is not installed (lab/instructor/cluster.txt)")
pytestmark = pytest.mark.maintainers
BOUND_S = 60


@contextlib.contextmanager
def lab_cluster(*arguments: str, **environ: str):
    """Run ``python3 lab cluster`` in a process group of its own, which is ended at the end."""
    command = [sys.executable, str(ROOT / "lab"), "cluster", *arguments]
    process = subprocess.Popen(
        command,
        env=os.environ | environ,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def wait_until(true, what: str):
    deadline = time.monotonic() + BOUND_S
    while not true():
        assert time.monotonic() < deadline, f"it never came to this: {what}"
        time.sleep(0.05)


def note_and_wait(folder: str, name: str, gate: str) -> tuple[str, int]:
    """Note that this task has begun, and by which process; end when the file ``gate`` is there."""
    with open(f"{folder}/begun-{name}", "a") as file:
        file.write(f"{os.getpid()}\n")
    wait_until(lambda: os.path.exists(gate), f"{gate} is there")
    return name, os.getpid()


def begun(folder) -> dict[str, list[int]]:
    noted = {path.name: [*map(int, path.read_text().split())] for path in folder.glob("begun-*")}
    return {name: by for name, by in noted.items() if by}


def gated(folder, count: int) -> dict[str, tuple[str, str, str]]:
    return {f"t{i}": (str(folder), f"t{i}", str(folder / "gate")) for i in range(count)}


def collect(results: dict, generator) -> None:
    for name, outcome in generator:
        assert name not in results, "each once"
        results[name] = outcome


def in_thread(target, *arguments):
    import threading

    thread = threading.Thread(target=target, args=arguments, daemon=True)
    thread.start()
    return thread


@pytest.mark.timeout(300)
def test_grades_are_byte_for_byte_those_of_one_machine(tmp_path):
    tmp_path.chmod(0o755)
    roster, expected = bench.make(tmp_path, 6)
    for name, more in (("here", []), ("there", ["--on", "local"])):
        done = bench.grade(tmp_path, roster, "--out", str(tmp_path / name), *more, timeout=110)
        assert done.returncode == 0, done.stderr
    here = {path.relative_to(tmp_path / "here") for path in (tmp_path / "here").rglob("*") if path.is_file()}
    there = {
        path.relative_to(tmp_path / "there") for path in (tmp_path / "there").rglob("*") if path.is_file()
    }
    assert here == there and len(here) > len(expected)
    for path in here:
        if path.parts[0] not in ("results", "gradescope"):  # these hold how long it took
            assert (tmp_path / "here" / path).read_bytes() == (tmp_path / "there" / path).read_bytes(), path


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_work_of_a_dead_or_hanging_worker_is_done_by_another(tmp_path, port, how):
    results: dict = {}
    address = f"tcp://127.0.0.1:{port}"
    silent = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "4s"}
    with lab_cluster("--port", str(port), **silent), lab_cluster(address, "--jobs", "2"):
        spread = cluster.spread(address, 2, note_and_wait, gated(tmp_path, 4))
        thread = in_thread(collect, results, spread)
        wait_until(lambda: len(begun(tmp_path)) >= 2, "two tasks have begun")
        name, (victim,) = next(iter(begun(tmp_path).items()))
        os.kill(victim, how)
        (tmp_path / "gate").touch()
        thread.join(2 * BOUND_S)
        if how == signal.SIGSTOP:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
    assert sorted(results) == ["t0", "t1", "t2", "t3"]
    assert victim not in [pid for _, pid in results.values()] and len(begun(tmp_path)[name]) == 2


def test_the_scheduler_goes_and_comes_back(tmp_path, port, monkeypatch, caplog):
    monkeypatch.setattr(logging.getLogger("distributed.client"), "handlers", [caplog.handler])
    results: dict = {}
    address = f"tcp://127.0.0.1:{port}"
    with lab_cluster(address, "--jobs", "1"):
        with lab_cluster("--port", str(port)):
            (tmp_path / "first").touch()
            tasks = gated(tmp_path, 3) | {"first": (str(tmp_path), "first", str(tmp_path / "first"))}
            tasks = {"first": tasks.pop("first")} | tasks
            thread = in_thread(collect, results, cluster.spread(address, 1, note_and_wait, tasks))
            wait_until(
                lambda: "first" in results and begun(tmp_path).keys() > {"begun-first"}, "one done, one begun"
            )
        (tmp_path / "gate").touch()
        with lab_cluster("--port", str(port)):
            thread.join(2 * BOUND_S)
    assert sorted(results) == ["first", "t0", "t1", "t2"]
    assert len(begun(tmp_path)["begun-first"]) == 1, "what was finished is not done again"
    assert not caplog.records, "the kit says in a line that the scheduler is lost"


@pytest.mark.skipif(sys.platform == "win32", reason="signals that a program can catch, and process groups")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_what_it_started_ends_with_it(tmp_path, port, how):
    from distributed import Client

    def has_ended(group: int) -> bool:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        return False

    address = f"tcp://127.0.0.1:{port}"
    with (
        lab_cluster("--port", str(port)) as scheduler,
        lab_cluster(address, "--jobs", "1", TMPDIR=str(tmp_path)) as workers,
    ):
        with Client(address, timeout=BOUND_S) as client:
            client.wait_for_workers(1, timeout=BOUND_S)
        for process in (workers, scheduler):
            process.send_signal(how)  # to the command alone
            process.wait(BOUND_S)
            wait_until(lambda group=process.pid: has_ended(group), "no process is left")
    assert not [*tmp_path.glob("lab-cluster-*")]


def listens_at(pid: int) -> set[str]:
    """Return the addresses at which a process and its children listen."""
    import psutil

    process = psutil.Process(pid)
    sockets = [one for each in (process, *process.children(recursive=True)) for one in each.net_connections()]
    return {one.laddr.ip for one in sockets if one.status == psutil.CONN_LISTEN}


def test_nothing_listens_beyond_this_machine(port):
    """Whoever reaches a worker or a scheduler may run programs there."""
    from distributed import Client

    address = f"tcp://127.0.0.1:{port}"
    with lab_cluster("--port", str(port)) as scheduler, lab_cluster(address, "--jobs", "1") as workers:
        with Client(address, timeout=BOUND_S) as client:
            client.wait_for_workers(1, timeout=BOUND_S)
            assert listens_at(scheduler.pid) == listens_at(workers.pid) == {"127.0.0.1"}
    for _ in cluster.spread("local", 1, len, {"task": ("abc",)}):  # its workers run until the loop's end
        assert listens_at(os.getpid()) == {"127.0.0.1"}


def test_workers_for_a_name_that_nobody_has_are_refused():
    done = lab("cluster", "tcp://nobody.invalid:8786")
    [line] = done.stderr.splitlines()
    assert done.returncode == 2 and line.startswith("lab cluster: tcp://nobody.invalid:8786 cannot be used: ")
    assert line.endswith("; use the address that the scheduler has printed")


def lab(*words: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, ROOT / "lab", *map(str, words)], capture_output=True, text=True, timeout=BOUND_S
    )


def test_a_scheduler_that_does_not_start_is_explained():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for words in (["--port", taken.getsockname()[1]], ["--host", "192.0.2.7"], ["--port", 99_999]):
            done = lab("cluster", *words)
            [line] = done.stderr.splitlines()
            assert done.returncode == 2 and line.startswith("lab cluster: ") and " cannot be used: " in line
            assert f"{words[0]} {words[1]}" in line and "Errno" not in line and "while" not in line
            assert line.endswith("; choose another")


@pytest.mark.parametrize("address", ["locl", "", "http://127.0.0.1:8786", "tcp://127.0.0.1", "tcp://h:65536"])
@pytest.mark.parametrize(
    "command", [["grade", "inbox", "--on"], ["capture", "--roster", "r.csv", "--on"], ["cluster"]]
)
def test_an_address_that_cannot_be_one_is_refused(command, address):
    done = lab(*command, address)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 2 and last.startswith(f"lab {command[0]}: ") and "tcp://HOST:PORT" in last, done
    assert ("local" in last.split("write")[1]) == ("--on" in command), "workers for it are started elsewhere"


@pytest.mark.parametrize(
    "command", [["grade", "inbox"], ["capture", "--roster", "r.csv"], ["cluster", "tcp://h:1"]]
)
def test_jobs_must_be_one_or_more(command):
    for jobs in ("0", "-1", "x"):
        done = lab(*command, "--jobs", jobs)
        last = done.stderr.splitlines()[-1]
        assert done.returncode == 2 and last.endswith("argument --jobs: must be 1 or more"), done


def test_capture_on_a_cluster_needs_a_class():
    for more in ([], ["--student", "ann"]):
        done = lab("capture", "--on", "local", *more)
        assert done.returncode == 2 and done.stderr == "lab capture: --on goes with --roster\n", done


def test_nobody_there_is_one_line(port, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_S", 1)
    with pytest.raises(ClusterError, match="no scheduler answers at .*python3 lab cluster"):
        list(cluster.spread(f"tcp://127.0.0.1:{port}", 1, note_and_wait, {"t": ("", "", "")}))


def test_a_worker_with_another_kit_or_without_a_sandbox_refuses(tmp_path, monkeypatch):
    from lab.instructor.submissions import Submission

    submission = Submission("s1", tmp_path)
    with pytest.raises(ClusterError, match="another version"):
        cluster.grade_one(submission, "k", True, "", "other rules")
    monkeypatch.setattr(cluster.sandbox, "probe", lambda *_: "it is refused")
    with pytest.raises(ClusterError, match=r"no sandbox \(namespaces: it is refused; landlock: "):
        cluster.grade_one(submission, "k", True, "", cluster.rules_fingerprint("k"))


def refuse() -> None:
    raise ClusterError("a worker has no sandbox (for this test)")


def test_a_refusal_ends_the_run_with_one_line():
    with pytest.raises(ClusterError, match="no sandbox .*run the command again"):
        list(cluster.spread("local", 1, refuse, {"t": ()}))


@pytest.mark.records
def test_a_class_is_recorded_on_a_cluster(tmp_path):
    (tmp_path / "roster.csv").write_text("ID\ns1\ns2\n")
    done = record_class(tmp_path, "k", "--on", "local")
    assert done.returncode == 0, done.stderr
    again = record_class(tmp_path)
    assert "already there" in again.stdout, "complete, as if recorded here"
    before = (tmp_path / "class" / "s1" / PLAIN).read_bytes()
    assert record_class(tmp_path, "k", "--on", "local", "--attack").returncode == 0
    assert is_complete(tmp_path / "class" / "s1", attack=True)
    assert (tmp_path / "class" / "s1" / PLAIN).read_bytes() == before, "only the attack was missing"
