"""What the switch is told to do to frames, and what TCP makes of it - by reading the recordings.

Two hosts, recorded at both cards. The sender's recording shows what was sent, the receiver's what arrived. No time is
asserted but what the lesson itself is about (each wait of a back-off is longer than the one before).
"""

import shutil
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.dissect.files.capture_file import read_capture
from lab.dissect.tcp.flows import find_flow
from lab.dissect.tcp.segments import read_segments
from lab.harness.lan_tap import Recording
from lab.net.lan import Lan
from lab.net.plan import host
from tests.support import needs_namespaces

pytestmark = needs_namespaces

SYN, FIN, ACK = 0x02, 0x01, 0x10
# Without a tail loss probe, which would be the first retransmission in place of the timer's (RFC 8985 section 7)
TEXTBOOK = {"net.ipv4.tcp_early_retrans": "0"}
HOSTS = (host("PC1", "10.0.0.1/24", sysctl=TEXTBOOK), host("server", "10.0.0.2/24", sysctl=TEXTBOOK))
BOUND_S = 40

# It sleeps until all has arrived: what comes in while a process is inside recv() waits, and Linux may join two segments
# there, which then share one ACK.
RECEIVE = """
import select, socket, sys
listener = socket.create_server(("", 9898))
print("ready", flush=True)
connection, _ = listener.accept()
expected, total = int(sys.argv[1]), 0
connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, expected)
select.select([connection], [], [])
connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
while piece := connection.recv(65536):
    total += len(piece)
    if total == expected:
        connection.send(b"got it")
print(total, flush=True)
"""
# The segments leave in one system call, cut by the MSS: where each had a send of its own, this process could be put to
# sleep for longer than the cable takes, and what is sent again came before the last of the flight. The connection is
# closed only when all has arrived: a FIN behind a lost segment would tell of the loss, too.
SEND = """
import socket, sys
count, size = map(int, sys.argv[1:])
with open("/proc/sys/net/ipv4/tcp_timestamps") as file:
    options = 12 if int(file.read()) else 0  # the MSS that is set here includes them
connection = socket.socket()
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, size + options)
connection.connect(("10.0.0.2", 9898))
print("connected", flush=True)
sys.stdin.readline()
connection.sendall(b"".join(bytes([number]) * size for number in range(count)))
connection.recv(100)
"""


@pytest.fixture(scope="module")
def bare_lan():
    with Lan(HOSTS) as lan:
        yield lan


@pytest.fixture
def lan(bare_lan):
    """The LAN with a long cable: a whole flight has left before the first ACK of it is back, as on a real path.

    So it does not matter how fast this machine is: without it TCP (RACK) may or may not be quick enough to take a
    segment that was merely overtaken for lost, and the lesson would not be the same every time.
    """
    bare_lan.condition("PC1", delay_s=0.03)
    return bare_lan


class Story:
    """Both recordings of one session."""

    def __init__(self, folder: Path):
        self.paths = {name: folder / f"{name}.pcapng" for name in ("PC1", "server")}
        self.sent, self.arrived = (read_segments(path) for path in self.paths.values())

    def data(self, segments, sender: str = "10.0.0.1") -> list[tuple[int, int]]:
        """(relative seq, length) of every segment with data from ``sender``, in order."""
        return [
            (int(segments.relative_seq[i]), int(segments.payload_length[i]))
            for i in range(len(segments))
            if segments.endpoint(i)[0] == sender and segments.payload_length[i]
        ]

    def flags(self, segments, flags: int, sender: str) -> list[int]:
        """Which segments of ``sender`` have exactly these of SYN, FIN and ACK."""
        return [
            i for i in range(len(segments))
            if segments.endpoint(i)[0] == sender and segments.flags[i] & (SYN | FIN | ACK) == flags
        ]  # fmt: skip

    def events(self, name: str) -> Counter:
        """What dissect names, as Wireshark's expert does."""
        segments = self.sent if name == "PC1" else self.arrived
        return Counter(event.name for event in find_flow(segments, 0).events)


@contextmanager
def receiver(lan, expected: int):
    command = [sys.executable, "-c", RECEIVE, str(expected)]
    with lan["server"].popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


PLACES = ["PC1", "server"]


def files_in(folder: Path) -> list[Path]:
    return [folder / f"{place}.pcapng" for place in PLACES]


def transfer(lan, folder: Path, *orders: str, count=10, size=1000, before_connect=False) -> Story:
    """Send ``count`` segments of ``size`` bytes from PC1 to the server under these orders; all of it must arrive."""
    with Recording(lan, PLACES, files_in(folder)), receiver(lan, count * size) as receiving:
        if before_connect:
            for order in orders:
                lan.order(order)
        command = [sys.executable, "-c", SEND, str(count), str(size)]
        with lan["PC1"].popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sending:
            assert sending.stdout.readline() == "connected\n"
            if not before_connect:
                for order in orders:
                    lan.order(order)
            sending.communicate("go\n", timeout=BOUND_S)
        assert receiving.communicate(timeout=BOUND_S)[0] == f"{count * size}\n"
    return Story(folder)


def in_order(count: int = 10, size: int = 1000) -> list[tuple[int, int]]:
    return [(1 + number * size, size) for number in range(count)]


def sack_edges(segments, i: int) -> list[tuple[int, int]]:
    """The SACK blocks of a segment, as relative numbers."""
    base = int(segments.ack[i]) - int(segments.relative_ack[i])
    count = segments.options.sack_count[i]
    edges = zip(segments.options.sack_left[i][:count], segments.options.sack_right[i][:count], strict=True)
    return [((int(left) - base) % 2**32, (int(right) - base) % 2**32) for left, right in edges]


# The lessons


def test_with_no_order_everything_is_sent_once(lan, tmp_path):
    story = transfer(lan, tmp_path)
    assert story.data(story.sent) == story.data(story.arrived) == in_order()
    assert not {"retransmission", "out_of_order", "duplicate_ack", "lost_segment"} & set(story.events("PC1"))


def test_a_lost_segment_is_asked_for_by_duplicate_acks_with_sack_and_sent_again(lan, tmp_path):
    story = transfer(lan, tmp_path, "drop the third data segment from PC1")
    lost = in_order()[2]
    sent, arrived = story.data(story.sent), story.data(story.arrived)
    assert Counter(sent) == Counter(in_order()) + Counter([lost]), (
        "one segment is sent twice, and it is the third"
    )
    assert Counter(arrived) == Counter(in_order()), "the first copy has not arrived"
    assert arrived[:3] == [in_order()[0], in_order()[1], in_order()[3]]
    acks = [i for i in story.flags(story.sent, ACK, "10.0.0.2") if story.sent.relative_ack[i] == lost[0]]
    with_sack = [edges for i in acks if (edges := sack_edges(story.sent, i))]
    assert len(with_sack) >= 3, "three duplicate ACKs, each with what has arrived behind the gap"
    assert {left for edges in with_sack for left, _ in edges} == {lost[0] + lost[1]}
    assert [right for ((_, right),) in with_sack] == sorted({right for ((_, right),) in with_sack}), (
        "which grows"
    )
    names = story.events("PC1")
    assert names["fast_retransmission"] + names["retransmission"] == 1 and names["duplicate_ack"] >= 3


def test_the_same_order_gives_the_same_lesson_to_the_last_segment(lan, tmp_path):
    stories = [transfer(lan, tmp_path / str(run), "drop the third data segment from PC1") for run in range(3)]
    lost = in_order()[2]
    for story in stories:
        assert story.data(story.sent) == [*in_order(), lost]
        assert story.data(story.arrived) == [one for one in in_order() if one != lost] + [lost]
        acks = [i for i in story.flags(story.sent, ACK, "10.0.0.2") if story.sent.relative_ack[i] == lost[0]]
        assert [sack_edges(story.sent, i) for i in acks] == [[]] + [
            [(3001, 1001 + n * 1000)] for n in range(3, 10)
        ]
        assert story.events("PC1") == {"duplicate_ack": 7, "fast_retransmission": 1}


def test_two_segments_swapped_arrive_in_the_other_order(lan, tmp_path):
    story = transfer(lan, tmp_path, "swap the next two data segments from PC1", count=3)
    first, second, third = in_order(3)
    assert story.data(story.sent) == [first, second, third]
    assert story.data(story.arrived) == [second, first, third]


def test_a_duplicated_segment_arrives_twice(lan, tmp_path):
    story = transfer(lan, tmp_path, "duplicate the second data segment from PC1", count=3)
    first, second, third = in_order(3)
    assert story.data(story.sent) == [first, second, third]
    assert story.data(story.arrived) == [first, second, second, third]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_a_corrupted_segment_arrives_is_thrown_away_and_sent_again(lan, tmp_path):
    story = transfer(lan, tmp_path, "corrupt the second data segment from PC1")
    assert Counter(story.data(story.sent)) == Counter(in_order()) + Counter([in_order()[1]])
    wrong = {}
    for name, path in story.paths.items():
        command = ["tshark", "-r", path, "-o", "tcp.check_checksum:TRUE", "-Y", "tcp.checksum.status == 0"]
        command += ["-T", "fields", "-e", "tcp.seq"]
        wrong[name] = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert wrong == {"PC1": [], "server": [str(in_order()[1][0])]}


def test_a_lost_syn_is_sent_again(lan, tmp_path):
    story = transfer(lan, tmp_path, "drop the SYN from PC1", before_connect=True, count=1)
    syns = story.flags(story.sent, SYN, "10.0.0.1")
    assert len(syns) == 2 and len({int(story.sent.seq[i]) for i in syns}) == 1, "the same SYN, twice"
    assert len(story.flags(story.arrived, SYN, "10.0.0.1")) == 1
    assert find_flow(story.sent, 0).handshake.syn_retransmissions == 1


def test_a_syn_ack_held_up_is_asked_for_again(lan, tmp_path):
    story = transfer(lan, tmp_path, "hold the SYN-ACK 1.5 s", before_connect=True, count=1)
    assert len(story.flags(story.sent, SYN, "10.0.0.1")) >= 2
    assert len(story.flags(story.arrived, SYN | ACK, "10.0.0.2")) >= 2, (
        "the server answers the second SYN too"
    )
    answered = story.arrived.time_ns[story.flags(story.arrived, SYN | ACK, "10.0.0.2")[0]]
    seen = [story.sent.time_ns[i] - answered for i in story.flags(story.sent, SYN | ACK, "10.0.0.2")]
    assert max(seen) >= 1_500_000_000, "the first one is seen too, late"


def test_the_retransmission_timer_backs_off(lan, tmp_path):
    story = transfer(lan, tmp_path, "drop the next four data segments from PC1", count=1)
    sent = [i for i in range(len(story.sent)) if story.sent.payload_length[i] == 1000]
    assert story.data(story.sent) == in_order(1) * 5 and story.data(story.arrived) == in_order(1)
    times = [int(story.sent.time_ns[i]) for i in sent]
    waits = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    assert waits == sorted(waits), "each wait is longer than the one before"
    assert all(1.5 < later / earlier < 2.5 for earlier, later in zip(waits, waits[1:], strict=False)), (
        "by doubling"
    )
    assert story.events("PC1")["retransmission"] == 4


def test_a_cut_cable_loses_everything_and_then_the_session_goes_on(lan, tmp_path):
    story = transfer(lan, tmp_path, "cut the cable of PC1 for 0.5 s", count=5)
    assert Counter(story.data(story.sent)).total() > 5, "sent again"
    assert set(story.data(story.arrived)) == set(in_order(5))
    cut_from, cut_until = story.sent.time_ns[3], story.arrived.time_ns[3]
    assert cut_until > cut_from, "the first segment with data arrived only when the cable was whole again"


NOT_READING = """
import socket, sys
connection = socket.socket()
connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
connection.connect(("10.0.0.2", 9898))
print("connected", flush=True)
sys.stdin.readline()
total = 0
while piece := connection.recv(65536):
    total += len(piece)
print(total, flush=True)
"""
SENDING = """
import socket
listener = socket.create_server(("", 9898))
print("ready", flush=True)
connection, _ = listener.accept()
connection.sendall(bytes(300_000))
"""


def test_a_client_that_stops_reading_closes_its_window_and_opens_it_again(lan, tmp_path):
    with Recording(lan, PLACES, files_in(tmp_path)):
        with lan["server"].popen(
            [sys.executable, "-c", SENDING], stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout.readline() == "ready\n"
            command = [sys.executable, "-c", NOT_READING]
            with lan["PC1"].popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as client:
                assert client.stdout.readline() == "connected\n"
                while probes_sent(server.pid) == 0:
                    assert server.poll() is None, "the server waits for the window to open"
                assert client.communicate("read on\n", timeout=BOUND_S)[0] == "300000\n"
            server.wait(BOUND_S)
    story = Story(tmp_path)
    windows = [
        int(story.sent.window[i]) for i in range(len(story.sent)) if story.sent.endpoint(i)[0] == "10.0.0.1"
    ]
    closed = windows.index(0)
    assert any(windows[closed:]), "and it opens again"
    names = story.events("PC1")
    # Linux probes with no data and one number back, which looks the same as a keep-alive.
    assert (
        names["zero_window"] and names["zero_window_probe"] + names["keep_alive"] and names["window_update"]
    )


def probes_sent(pid: int) -> int:
    """How many times the connection of that process's host has probed a closed window (proc(5), /proc/net/tcp)."""
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        state, queues, timer, probes = (line.split()[n] for n in (3, 4, 5, 6))
        if state == "01" and timer.startswith("04"):
            return int(probes, 16) + int(line.split()[8])
    return 0


# Rates, over real TCP


@pytest.mark.parametrize(
    "rates",
    [
        {"loss": 0.1, "seed": 1},
        {"duplicate": 0.3, "seed": 2},
        {"reorder": 0.3, "seed": 3},
        {"corrupt": 0.1, "seed": 4},
        {"delay_s": 0.01, "jitter_s": 0.01, "rate_bits_per_s": 2e6},
    ],
    ids=lambda rates: next(iter(rates)),
)
def test_tcp_gets_everything_through_a_bad_cable(lan, tmp_path, rates):
    lan.condition("PC1", "from", **rates)
    before = lan.state()["counts"].get("from PC1", {})
    transfer(lan, tmp_path, count=40)
    names = {"loss": "lost", "duplicate": "duplicated", "reorder": "kept back", "corrupt": "corrupted"}
    if did := names.get(next(iter(rates))):
        assert lan.state()["counts"]["from PC1"][did] > before.get(did, 0)


# Recording anywhere


def test_with_the_offloads_left_on_a_recording_shows_segments_that_no_cable_carries(tmp_path):
    with Lan(HOSTS, bridge=True, offloads=True) as lan:
        story = transfer(lan, tmp_path, count=20, size=20_000)
    assert max(story.sent.frame_length) > 1514 < max(story.arrived.frame_length)


def test_with_them_off_none_is_longer_than_ethernet(lan, tmp_path):
    story = transfer(lan, tmp_path, count=5, size=20_000)
    assert max(story.sent.frame_length) == max(story.arrived.frame_length) == 1514


def test_several_places_in_one_file_each_an_interface_of_its_own(lan, tmp_path):
    path = tmp_path / "views.pcapng"
    with Recording(lan, ["PC1", "switch", "server"], path) as recording:
        with receiver(lan, 500) as receiving:
            lan["PC1"].run([sys.executable, "-c", SEND, "1", "500"], input="go\n")
            receiving.communicate(timeout=BOUND_S)
    capture = read_capture(path)
    names = ["PC1/eth0", "switch/PC1", "switch/server", "server/eth0"]
    assert [one.name for one in capture.interfaces] == names and list(recording.frames) == names
    assert capture.interfaces[0].description == "PC1, 10.0.0.1/24, 02:00:00:00:01:01"
    assert capture.interfaces[1].description == "the switch's port of PC1"
    assert list(capture.time_ns) == sorted(capture.time_ns), "in order of time, whichever interface it was"
    frames = [(bytes(capture.frame(n)), int(capture.interface[n - 1])) for n in range(1, len(capture) + 1)]
    (hello,) = {frame for frame, _ in frames if frame.endswith(bytes(500))}
    assert [names[at] for frame, at in frames if frame == hello] == names, (
        "one segment, seen at each place on its way"
    )


def test_the_recording_has_everything_from_the_first_syn_to_the_last_ack(lan, tmp_path):
    for run in range(3):
        story = transfer(lan, tmp_path / str(run), count=1)
        for segments in (story.sent, story.arrived):
            assert segments.flags[0] & (SYN | ACK) == SYN
            assert len(story.flags(segments, FIN | ACK, "10.0.0.1")) == 1
            assert len(story.flags(segments, FIN | ACK, "10.0.0.2")) == 1
            assert segments.flags[len(segments) - 1] & (SYN | FIN | ACK) == ACK
        assert len(story.sent) == len(story.arrived)
