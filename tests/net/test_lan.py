"""The LAN itself: hosts that reach each other, programs on them, bad plans, and that it leaves nothing
behind."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lab.net import namespace
from lab.net.lan import Lan
from lab.net.orders import ConditionError
from lab.net.plan import MTU, REPORT_LAN, LanError, LanRefused, host, router
from tests.support import ROOT, needs_namespaces

pytestmark = [
    pytest.mark.as_root,
    needs_namespaces,
]
BOUND_S = 30

ECHO = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 7))
if family == socket.AF_INET:
    s.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL in linux/in.h, and missing from Python's socket
else:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
print("ready", flush=True)
while True:
    data, ancillary, _, sender = s.recvmsg(4096, 1000)
    s.sendto(b"%d %d" % (len(data), int.from_bytes(ancillary[0][2], sys.byteorder)), sender)
"""
ASK = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.sendto(bytes(int(sys.argv[2])), (sys.argv[1], 7))
print(s.recv(100).decode())
"""


def ask(lan: Lan, asker: str, answerer: str, address: str, size: int = 10) -> list[int]:
    """Send a datagram there and hear back: its size, and the hops that it had left on arrival."""
    with lan[answerer].popen(
        [sys.executable, "-c", ECHO, address], stdout=subprocess.PIPE, text=True
    ) as echo:
        assert echo.stdout.readline() == "ready\n"
        answer = lan[asker].run([sys.executable, "-c", ASK, address, str(size)]).stdout
        echo.kill()
    return [int(word) for word in answer.split()]


@pytest.fixture(scope="module")
def lan():
    with Lan(REPORT_LAN) as lan:
        yield lan


# Hosts


@pytest.mark.parametrize("asker", ["PC1", "PC2", "laptop"])
def test_every_host_of_the_report_reaches_the_server(lan, asker):
    assert ask(lan, asker, "server", "10.27.27.131") == [10, 64]


def test_hosts_have_the_reports_addresses_and_macs(lan):
    assert [(one.name, one.address) for one in lan.hosts.values()] == [
        ("server", "10.27.27.131"), ("PC1", "10.27.27.206"), ("PC2", "10.27.27.49"), ("laptop", "10.27.27.43")
    ]  # fmt: skip
    for name, mac in (("server", "c6:fe:50:ad:ab:dc"), ("PC1", "18:c0:4d:df:aa:43")):
        assert lan[name].interfaces == {"eth0": mac}
        links = json.loads(lan[name].run([sys.executable, "-c", LINKS]).stdout)
        assert links["eth0"] == [mac, MTU]
        assert set(links) == {"lo", "eth0"}, "a host sees its own card and nothing of the machine"


LINKS = """
import json
from pyroute2 import IPRoute
with IPRoute() as ip:
    print(json.dumps({l.get("ifname"): [l.get("address"), l.get("mtu")] for l in ip.get_links()}))
"""


def test_the_reports_settings_hold_on_every_host(lan):
    for one in lan.hosts.values():
        assert one.run(["cat", "/proc/sys/net/ipv4/tcp_timestamps"]).stdout == "0\n"


def test_a_host_is_found_whatever_the_case_and_spaces(lan):
    assert lan["PC 1"] is lan["pc1"] is lan["PC1"]


def test_a_machine_address_is_out_of_reach(lan):
    done = lan["PC1"].run([sys.executable, "-c", ASK, "192.0.2.1", "1"], check=False)
    assert done.returncode == 1 and "Network is unreachable" in done.stderr


def test_the_switch_has_learned_and_lost_nothing(lan):
    ask(lan, "PC1", "server", "10.27.27.131")
    state = lan.state()
    assert state["table"]["18:c0:4d:df:aa:43"] == "PC1" and state["table"]["c6:fe:50:ad:ab:dc"] == "server"
    assert all(port["overflowed"] == port["refused"] == 0 for port in state["ports"].values())


TWO_NETWORKS = [
    host("left1", "10.0.1.2/24", "fd00:1::2/64", switch="left"),
    host("right1", "10.0.2.2/24", "fd00:2::2/64", switch="right"),
    router("R", {"left": ["10.0.1.1/24", "fd00:1::1/64"], "right": ["10.0.2.1/24", "fd00:2::1/64"]}),
]


def test_a_router_joins_two_switches_over_ipv4_and_ipv6():
    with Lan(TWO_NETWORKS) as lan:
        assert ask(lan, "left1", "right1", "10.0.2.2") == [10, 63], "one hop less"
        assert ask(lan, "left1", "right1", "fd00:2::2") == [10, 63]
        assert ask(lan, "right1", "left1", "fd00:1::2") == [10, 63]
        assert ask(lan, "left1", "R", "10.0.1.1") == [10, 64]


def test_ipv6_on_one_switch():
    with Lan([host("A", "fd00::a/64"), host("B", "fd00::b/64")]) as lan:
        assert ask(lan, "A", "B", "fd00::b") == [10, 64]


def test_a_long_datagram_crosses_in_fragments(lan):
    assert ask(lan, "PC1", "server", "10.27.27.131", size=4000) == [4000, 64]


def test_the_kernels_bridge_can_stand_in_and_says_what_it_cannot_do():
    with Lan(REPORT_LAN, bridge=True) as lan:
        assert ask(lan, "PC1", "server", "10.27.27.131") == [10, 64]
        with pytest.raises(LanError, match="the kernel's bridge takes no conditions"):
            lan.condition("PC1", loss=0.5)


def test_a_hundred_hosts_on_one_switch():
    with Lan([host(f"h{n}", f"10.0.0.{n}/24") for n in range(1, 101)]) as lan:
        assert ask(lan, "h1", "h100", "10.0.0.100") == [10, 64]


def test_offloads_need_the_bridge():
    with pytest.raises(LanError, match="offloads make frames longer than a cable carries"):
        Lan(REPORT_LAN, offloads=True)


# Conditions, over real cables


def test_a_condition_holds_in_its_direction_and_can_be_lifted():
    with Lan([host("A", "10.0.0.1/24"), host("B", "10.0.0.2/24")]) as lan:
        lan.condition("A", "to", duplicate=1.0)
        assert ask(lan, "A", "B", "10.0.0.2") == [10, 64]
        assert lan.state()["counts"]["to A"]["duplicated"] >= 2  # the ARP reply and the answer
        assert "from A" not in lan.state()["counts"]
        before = lan.state()["counts"]
        lan.condition("A")
        assert ask(lan, "A", "B", "10.0.0.2") == [10, 64]
        assert lan.state()["counts"] == before


def test_a_delay_is_at_least_what_was_asked_for():
    with Lan([host("A", "10.0.0.1/24"), host("B", "10.0.0.2/24")]) as lan:
        ask(lan, "A", "B", "10.0.0.2")  # resolves the addresses
        lan.condition("A", delay_s=0.15)
        timed = ASK.replace("s.sendto", "import time; begin = time.monotonic(); s.sendto")
        timed += "print(time.monotonic() - begin)"
        with lan["B"].popen([sys.executable, "-c", ECHO, "10.0.0.2"], stdout=subprocess.PIPE) as echo:
            echo.stdout.readline()
            printed = lan["A"].run([sys.executable, "-c", timed, "10.0.0.2", "10"]).stdout
            echo.kill()
        assert float(printed.split()[-1]) >= 0.3


def test_a_drop_order_loses_that_datagram_and_no_other():
    with Lan([host("A", "10.0.0.1/24"), host("B", "10.0.0.2/24")]) as lan:
        sender = "import socket\ns = socket.socket(type=socket.SOCK_DGRAM)\n"
        sender += "for i in range(6): s.sendto(b'%d' % i, ('10.0.0.2', 7))"
        receiver = "import socket\ns = socket.socket(type=socket.SOCK_DGRAM)\ns.bind(('', 7))\n"
        receiver += "print('ready', flush=True)\nheard = ''\nwhile not heard.endswith('5'): heard += s.recv(9).decode()\n"
        receiver += "print(heard)"
        lan.order("drop the third datagram from A")
        with lan["B"].popen([sys.executable, "-c", receiver], stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            lan["A"].run([sys.executable, "-c", sender])
            assert process.communicate(timeout=BOUND_S)[0] == "01345\n"


@pytest.mark.parametrize(
    "ask_for, says",
    [
        (lambda lan: lan["nobody"], "no host 'nobody': there are server, PC1, PC2, laptop"),
        (lambda lan: lan.condition("PC7", loss=0.1), "no host 'PC7'"),
        (lambda lan: lan.order("drop the third data segment from PC 9"), "no host 'PC 9'"),
        (lambda lan: lan.order("swap the next three"), "a swap takes two frames"),
        (lambda lan: lan.condition("PC1", loss=2), "loss must be from 0 to 1"),
        (lambda lan: lan.condition("PC1", "sideways", loss=0.1), "direction must be"),
        (lambda lan: lan.condition("PC1", lag=1), "unknown condition lag"),
    ],
)
def test_what_cannot_be_is_one_clear_line(lan, ask_for, says):
    with pytest.raises((LanError, ConditionError), match=says) as caught:
        ask_for(lan)
    assert "\n" not in str(caught.value)


# Programs


def test_a_program_gives_its_output_errors_and_exit_code(lan):
    done = lan["PC1"].run(["sh", "-c", "cat; echo wrong >&2; exit 7"], input="hello", check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("hello", "wrong\n", 7)
    with pytest.raises(subprocess.CalledProcessError):
        lan["PC1"].run(["false"])


def test_a_program_that_is_not_there(lan):
    done = lan["PC1"].run(["no-such-program"], check=False)
    assert (done.returncode, done.stderr) == (127, "no program 'no-such-program' on this machine\n")
    with pytest.raises(LanError, match="no program 'no-such-program' on this machine"):
        lan["PC1"].run(["no-such-program"])


def test_a_signal_reaches_the_program_once_and_its_end_comes_back(lan):
    program = "trap 'echo interrupted' INT; echo ready; while :; do read line || exit 3; done"
    with lan["PC1"].popen(["sh", "-c", program], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        process.stdin.write("\n")  # a signal that comes just before the read does not end that
        process.stdin.flush()
        assert process.stdout.readline() == "interrupted\n"
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait(BOUND_S) == 3
    with lan["PC1"].popen(["cat"], stdin=-1, stdout=-1) as process:
        process.terminate()
        assert process.wait(BOUND_S) == -signal.SIGTERM


def test_killing_a_program_kills_the_program_itself(lan):
    with lan["PC1"].popen(["sh", "-c", "echo ready; exec cat"], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.kill()
        assert process.stdout.read() == "", "its output closes only when it has ended"
        assert process.wait(BOUND_S) == -signal.SIGKILL


def test_a_program_ends_even_if_its_stand_in_is_stopped(lan):
    process = lan["PC1"].popen(["sleep", "1000"])
    os.kill(process.pid, signal.SIGSTOP)
    namespace.end(process, within_s=0.1)
    assert process.returncode == -signal.SIGKILL


def test_a_listener_does_not_wait_forever(lan, monkeypatch):
    monkeypatch.setattr("lab.net.lan.ACCEPT_LIMIT_S", 0.1)
    with lan["server"].listen(9898) as listener, pytest.raises(TimeoutError):
        listener.accept()


def test_a_program_outlives_the_thread_that_started_it(lan):
    started = []
    thread = threading.Thread(
        target=lambda: started.append(lan["PC1"].popen(["cat"], stdin=-1, stdout=-1, text=True))
    )
    thread.start()
    thread.join()
    assert started[0].communicate("still here", timeout=BOUND_S)[0] == "still here"


def test_a_program_that_takes_too_long_is_ended(lan):
    with pytest.raises(subprocess.TimeoutExpired):
        lan["PC1"].run(["cat", "/dev/zero"], timeout=0.2)


# Plans that cannot be


@pytest.mark.parametrize(
    "hosts, says",
    [
        ([], "at least one host"),
        ([host("A", "10.0.0.1/24"), host("B", "10.0.0.1/24")], "B and A have the same address 10.0.0.1"),
        ([host("A", "10.0.0.1/24", "10.0.0.1/16")], "A and A have the same address"),
        ([host("A", "10.0.0.1/24"), host("B", "10.0.0.2/16")], "the networks .* overlap"),
        ([host("A", "10.0.0.1/24"), host("B", "10.0.0.2/24", switch="other")], "the networks .* overlap"),
        ([host("A", "fd00::1/64"), host("B", "fd00::2/64", switch="other")], "the networks .* overlap"),
        ([host("A", "10.0.0.1/24"), host("a", "10.0.0.2/24")], "two hosts are called a"),
        ([host("A", "10.0.0.1")], "10.0.0.1 needs a prefix length, such as 10.0.0.1/24"),
        ([host("A", "10.0.0.1/64")], "A: '10.0.0.1/64' does not appear to be"),
        ([host("A", "10.0.0.256/24")], "A: '10.0.0.256/24' does not appear to be"),
        ([host("A", "10.0.0.0/24")], "is the address of the network"),
        ([host("A", "10.0.0.255/24")], "is the broadcast address"),
        ([host("A", "224.0.0.1/24")], "cannot be a host's address"),
        ([host("A", "127.0.0.1/8")], "cannot be a host's address"),
        ([host("A")], "A has no address on switch"),
        ([host("A", "10.0.0.1/24", mac="01:00:00:00:00:01")], "is not the MAC of one card"),
        ([host("A", "10.0.0.1/24", mac="2:0:0:0:0:1")], "is not the MAC of one card"),
        (
            [host(name, f"10.0.0.{n}/24", mac="02:00:00:00:00:01") for n, name in enumerate("AB", 1)],
            "B and A have the same MAC",
        ),
        ([host("a name with spaces", "10.0.0.1/24")], "host name 'a name with spaces'"),
        ([host("../etc", "10.0.0.1/24")], "host name"),
        ([router("R", {"left": "10.0.0.1/24"})], "a router needs two switches"),
        ([host(f"h{n}", f"10.0.{n}.1/16") for n in range(201)], "up to 200 hosts, not 201"),
    ],
)
def test_a_plan_that_cannot_be_is_one_clear_line(hosts, says):
    with pytest.raises(LanError, match=says) as caught:
        Lan(hosts)
    assert "\n" not in str(caught.value)


def test_a_setting_that_does_not_exist_is_said_and_leaves_nothing():
    with pytest.raises(LanError, match="no_such_setting"):
        Lan([host("A", "10.0.0.1/24", sysctl={"net.ipv4.no_such_setting": "1"})]).start()


# Nothing is left behind, and nothing outside is touched

STORY = """
import json, os, sys
from lab.net.lan import Lan
from lab.net.plan import REPORT_LAN

how = sys.argv[1]
with Lan(REPORT_LAN) as lan:
    shell = lan["PC1"].popen(["sh", "-c", "setsid sleep 1000 & sleep 1000 & echo ready; wait"], stdout=-1, text=True)
    shell.stdout.readline()
    networks = [place.network for place in (lan.switches, *lan.hosts.values())]
    seen = [os.fstat(descriptor).st_ino for descriptor in (*lan.descriptors(), *networks)]
    print(json.dumps({"namespaces": seen, "processes": [shell.pid]}), flush=True)
    sys.stdin.readline()
    if how == "failure":
        raise RuntimeError("on purpose")
"""


def processes_in(namespaces: list[int]) -> set[int]:
    """The processes that are in one of these namespaces or have a descriptor on one: what keeps it alive."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = [*process.glob("ns/*"), *process.glob("fd/*")]
            here = {link for link in links if os.readlink(link).startswith(("net:", "pid:", "user:"))}
            if any(link.stat().st_ino in namespaces for link in here):
                found.add(int(process.name))
        except OSError:
            continue  # it has just ended, or is another user's, who cannot be in a namespace of ours
    return found


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="this Python cannot wait for another's child")
@pytest.mark.parametrize("how", ["success", "failure", "interrupt", "terminate", "kill"])
def test_it_is_gone_without_trace(how, tmp_path):
    path = os.pathsep.join([str(ROOT), *sys.path])
    environment = os.environ | {"TMPDIR": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": path}
    mounts = Path("/proc/self/mountinfo").read_text()
    command = [sys.executable, "-c", STORY, how]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, **pipes, text=True, cwd=tmp_path, env=environment) as process:
        told = json.loads(process.stdout.readline())
        # The user's own namespace counts only where the LAN made one: everybody else is in it otherwise.
        ours = [one for one in told["namespaces"] if one != os.stat("/proc/self/ns/user").st_ino]
        keeping = processes_in(ours) | set(told["processes"])
        assert len(keeping) >= 8, (
            "the story, keeper and its first process, switch, shell and stand-in, two sleepers"
        )
        handles = {pid: os.pidfd_open(pid) for pid in keeping}
        if how in ("success", "failure"):
            process.stdin.write("\n")
            process.stdin.flush()
        else:
            process.send_signal(
                {"interrupt": signal.SIGINT, "terminate": signal.SIGTERM, "kill": signal.SIGKILL}[how]
            )
        ends = {"success": 0, "failure": 1, "interrupt": -2, "terminate": -15, "kill": -9}
        assert process.wait(BOUND_S) == ends[how]
        for pid, handle in handles.items():
            assert select.select([handle], [], [], BOUND_S)[0], f"process {pid} has outlived the LAN"
            os.close(handle)
    # With the last process that was in a namespace or had a descriptor on it, the namespace is gone.
    assert list(tmp_path.iterdir()) == []
    assert Path("/proc/self/mountinfo").read_text() == mounts


def outside() -> dict:
    """The machine's own interfaces, addresses, routes and rules."""
    from pyroute2 import IPRoute

    with IPRoute() as ip:
        links = [
            (one.get("ifname"), one.get("address"), one.get("mtu"), one["flags"]) for one in ip.get_links()
        ]
        settings = ("tcp_timestamps", "ip_forward")
        return {
            "links": sorted(links),
            "addresses": sorted(
                str((one["index"], one.get("address"), one["prefixlen"])) for one in ip.get_addr()
            ),
            "routes": sorted(str(sorted(one["attrs"], key=str)) for one in ip.get_routes()),
            "rules": sorted(str(one["attrs"]) for one in ip.get_rules()),
            "settings": [Path(f"/proc/sys/net/ipv4/{name}").read_text() for name in settings],
        }


def test_the_machines_own_network_is_not_touched():
    before = outside()
    with Lan(TWO_NETWORKS) as lan:
        ask(lan, "left1", "right1", "10.0.2.2")
        lan.condition("left1", delay_s=0.01)
        assert outside() == before
    assert outside() == before


def test_closing_twice_and_using_it_after_that():
    lan = Lan([host("A", "10.0.0.1/24")]).start()
    kept = lan["A"]
    lan.close()
    lan.close()
    for attempt in (lambda: lan["A"], lambda: lan.state(), lambda: kept.run(["true"])):
        with pytest.raises(LanError, match="the LAN is not running"):
            attempt()


def test_many_lans_side_by_side():
    with Lan(REPORT_LAN) as one, Lan(REPORT_LAN) as other:
        assert (
            ask(one, "PC1", "server", "10.27.27.131")
            == ask(other, "PC1", "server", "10.27.27.131")
            == [10, 64]
        )
        assert one.state()["ports"]["PC2"]["received"] == 0


# Where the system is stricter


def in_namespace_with(setting: str, program: str) -> subprocess.CompletedProcess:
    """Run Python in a user namespace of its own in which one of the limits in /proc/sys/user is 0."""
    program = f"open('/proc/sys/user/{setting}', 'w').write('0')\n{program}"
    command = namespace.launcher([sys.executable, "-c", program])
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=BOUND_S)


TRY = """
from lab.net.lan import Lan
from lab.net.plan import REPORT_LAN
with Lan(REPORT_LAN) as lan:
    print(lan["PC1"].run(["cat", "/proc/net/route"]).stdout.count("eth0"))
"""


def test_root_goes_without_a_user_namespace_where_there_is_none():
    done = in_namespace_with("max_user_namespaces", TRY)
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)


def test_a_refusal_is_said_in_one_line():
    done = in_namespace_with("max_net_namespaces", TRY)
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[-1]
        == f"{LanRefused.__module__}.LanRefused: unshare: No space left on device"
    )
