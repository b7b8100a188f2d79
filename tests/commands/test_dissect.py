"""``lab dissect``: what it prints, as JSON and for people; one clear line and exit code 2 for what cannot
be used.
"""

import json
import re
import subprocess
import sys

import pytest

from lab.commands.dissect import main
from lab.dissect.text import printable
from tests.dissect import links, packets
from tests.dissect.generator import Conversation
from tests.dissect.tls_traffic import play, write_capture
from tests.support import FRAME_1193, ROOT, only


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("program")
    played = play(version="1.3")
    write_capture(folder / "tls.pcapng", played["wire"])
    (folder / "keys.log").write_text(played["keys"])
    (folder / "frame.pcap").write_bytes(packets.pcap([(11_502_790_000, FRAME_1193, 69)]))
    talk = Conversation(3, packets.ETHERNET)
    (folder / "talk.pcap").write_bytes(packets.pcap(talk.play()))
    nasty = packets.tcp(
        "10.0.0.1", "10.0.0.2", 1, 2, 3, 4, 24, payload=b"\x1b]0;owned\x07\x1b[2J[red]hi[/red]\r\n"
    )
    frame = packets.link(1, packets.ipv4("10.0.0.1", "10.0.0.2", nasty))
    (folder / "nasty.pcap").write_bytes(packets.pcap([(0, frame, len(frame))]))
    gap = [
        packets.tcp("10.0.0.1", "10.0.0.2", 1, 2, seq, 1, 16, payload=text)
        for seq, text in ((5, b"ab"), (17, b"cd"))
    ]
    frames = [packets.link(1, packets.ipv4("10.0.0.1", "10.0.0.2", one)) for one in gap]
    (folder / "gap.pcap").write_bytes(packets.pcap([(0, one, len(one)) for one in frames]))
    (folder / "empty.pcap").write_bytes(packets.pcap([]))
    return folder


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def run(capsys, *arguments, code=0):
    assert main([str(one) for one in arguments]) == code
    return capsys.readouterr()


def as_json(capsys, *arguments):
    out, err = run(capsys, *arguments, "--json")
    assert err == ""
    return json.loads(out)


def test_overview(files, capsys):
    out, _ = run(capsys, files / "tls.pcapng", "--limit", 5)
    for said in ("TLS 1.3", "chat.lab.test", "[SYN] Seq=0", "closed: FIN from", "and 16 more"):
        assert said in out, said
    facts = as_json(capsys, files / "tls.pcapng", "--limit", 0)
    assert facts["file"]["flows"] == 1 and len(facts["segments"]) == facts["file"]["segments"]
    assert facts["segments"][1]["info"].startswith("9898 → 56228 [SYN, ACK] Seq=0 Ack=1")


def test_handshakes(files, capsys):
    (shake,) = as_json(capsys, files / "tls.pcapng", "--handshakes")["handshakes"]
    assert shake["frames"] == [1, 2, 3] and shake["rtt_s"] == pytest.approx(0.0002)
    out, _ = run(capsys, files / "tls.pcapng", "--handshakes")
    assert "SYN-ACK" in out and "0.100 ms later" in out
    (none,) = as_json(capsys, files / "frame.pcap", "--handshakes")["handshakes"]
    assert "no handshake" in none["missing"]


def test_follow_plain_and_with_keys(files, capsys):
    facts = as_json(capsys, files / "tls.pcapng", "--follow", 0)
    assert facts["decrypted"] is False and "no key" in facts["tls"]["problem"]
    facts = as_json(capsys, files / "tls.pcapng", "--follow", 0, "--keys", files / "keys.log")
    assert facts["decrypted"] is True
    assert [turn["from"] for turn in facts["turns"][:2]] == ["initiator", "responder"]
    assert facts["turns"][0]["text"] == "client line 0 "
    out, _ = run(capsys, files / "tls.pcapng", "--follow", 0, "--keys", files / "keys.log")
    assert "server line 1" in out and "decrypted" in out
    assert "server line" not in run(capsys, files / "tls.pcapng", "--follow", 0).out
    out, _ = run(capsys, files / "frame.pcap", "--follow", 0, "--hex")
    assert "0000  3c 42 72 61" in out and "<Brandon> hello" in out


def test_follow_shows_gaps(files, capsys):
    turns = as_json(capsys, files / "gap.pcap", "--follow", 0)["turns"]
    assert [(turn["text"], turn["missing"]) for turn in turns] == [("ab", 0), ("cd", 10)]
    assert "[10 bytes missing from the capture]" in run(capsys, files / "gap.pcap", "--follow", 0).out


def test_follow_keeps_the_order_of_the_stream_and_says_what_it_leaves_out(tmp_path, capsys):
    pieces = [(4, b"def"), (1, b"abc"), (1, b"ABC"), (2**32 - 9, b"old"), (7, b"g")]
    frames = [packets.tcp("10.0.0.1", "10.0.0.2", 1, 2, 0, 0, 2)]
    frames += [packets.tcp("10.0.0.1", "10.0.0.2", 1, 2, seq, 1, 24, payload=text) for seq, text in pieces]
    linked = [packets.link(1, packets.ipv4("10.0.0.1", "10.0.0.2", one)) for one in frames]
    path = tmp_path / "order.pcap"
    path.write_bytes(packets.pcap([(0, one, len(one)) for one in linked]))
    out = run(capsys, path, "--follow", 0).out
    assert "abcdefg\n" in out
    assert "Not shown of the initiator: 3 bytes that contradict what came first (frame 4)\n" in out
    assert "3 bytes that lie before the beginning of the stream (frame 5)\n" in out
    facts = as_json(capsys, path, "--follow", 0)
    assert [turn["text"] for turn in facts["turns"]] == ["abcdefg"]
    assert facts["excluded"][0]["before the beginning"] == {"bytes": 3, "frames": [5]}
    assert "Flow 0 →: 6 bytes not in the stream" in run(capsys, path, "--flows").out


def test_follow_says_the_same_in_colour(files, capsys, monkeypatch):
    for name in ("gap.pcap", "talk.pcap"):
        plain = run(capsys, files / name, "--follow", 0).out
        with monkeypatch.context() as terminal:
            terminal.setenv("FORCE_COLOR", "1")
            terminal.setenv("TERM", "xterm-256color")
            coloured = run(capsys, files / name, "--follow", 0).out
        assert "\x1b[31m" in coloured and re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


@pytest.mark.parametrize("step", only([1, 2], 2), ids=["no gaps", "gaps"])
def test_follow_of_very_many_tiny_segments(step, tmp_path, capsys):
    """With one more copy of the turn a segment, this took minutes."""
    count = 60_000
    headers = [
        packets.tcp("10.0.0.1", "10.0.0.2", 1, 2, 1 + step * i, 1, 24, payload=b"x") for i in range(count)
    ]
    frames = [packets.link(1, packets.ipv4("10.0.0.1", "10.0.0.2", one)) for one in headers]
    path = tmp_path / "tiny.pcap"
    path.write_bytes(packets.pcap([(0, one, len(one)) for one in frames]))
    out = run(capsys, path, "--follow", 0).out
    assert out.count("x") >= count and out.count("[1 byte missing") == (count - 1) * (step - 1)


def test_every_character_is_shown_or_a_dot():
    """Every character that there is, half surrogates too."""
    text = "".join(map(chr, range(sys.maxunicode + 1)))
    assert printable(text) == "".join(c if c.isprintable() or c == "\n" else "·" for c in text)
    assert printable("\x1b[2J\n\u009b\ud800é" * 70_000) == "·[2J\n··é" * 70_000
    data = bytes(range(256)) * 1000
    assert printable(data) == printable(data[:256]) * 1000


def test_frame(files, capsys):
    out, _ = run(capsys, files / "frame.pcap", "--frame", 1)
    for said in ("Header checksum", "0x23f5", "it is right", "RFC 791", "3c 42  72 61", "<Brandon>"):
        assert said in out, said
    facts = as_json(capsys, files / "frame.pcap", "--frame", 1)
    assert bytes.fromhex(facts["hex"]) == FRAME_1193 and facts["frame"] == 1


def test_flows(files, capsys):
    facts = as_json(capsys, files / "talk.pcap", "--flows")
    assert facts["flows"][0]["from_initiator"]["bytes"] >= 0
    assert "closing" in run(capsys, files / "talk.pcap", "--flows").out
    assert as_json(capsys, files / "empty.pcap")["flows"] == []
    run(capsys, files / "empty.pcap")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """Three flows: short IPv4 addresses, the longest IPv4 and the longest IPv6 ones; and frames without a row."""
    folder, frames = tmp_path_factory.mktemp("crowd"), []
    addresses = [("10.0.0.1", "10.0.0.2"), ("192.168.100.101", "192.168.100.102")]
    addresses.append(tuple(f"2001:db8:1111:2222:3333:4444:5555:{last}" for last in ("6666", "7777")))
    for number, ends in enumerate(addresses):
        wrap = packets.ipv6 if ":" in ends[0] else packets.ipv4
        for way, seq, ack, flags, payload in (
            (0, 9, 0, 2, b""),
            (1, 99, 10, 18, b""),
            (0, 10, 100, 24, b"x" * 1460),
        ):
            there = ends if way == 0 else ends[::-1]
            ports = (55_000 + number, 9898) if way == 0 else (9898, 55_000 + number)
            frames.append(
                packets.link(1, wrap(*there, packets.tcp(*there, *ports, seq, ack, flags, payload=payload)))
            )
        frames.append(packets.link(1, wrap(*ends, packets.tcp(*ends, 55_000 + number, 9898, 1470, 100, 4))))
    frames += [frame for link, name, frame in links.not_read() if link == 1 and name in ("GRE", "fragments")]
    made = packets.pcap([(i * 1_000_000, one, len(one)) for i, one in enumerate(frames)])
    (folder / "crowd.pcap").write_bytes(made)
    (folder / "short.pcap").write_bytes(
        packets.pcap([(i, one, len(one)) for i, one in enumerate(frames[:8])])
    )
    (folder / "damaged.pcap").write_bytes(made[: len(made) - 30])
    return folder


FLOWS = [
    ("10.0.0.1:55000", "10.0.0.2:9898"),
    ("192.168.100.101:55001", "192.168.100.102:9898"),
    ("[2001:db8:1111:2222:3333:4444:5555:6666]:55002", "[2001:db8:1111:2222:3333:4444:5555:7777]:9898"),
]


@pytest.mark.parametrize(
    "name, width",
    [
        ("short.pcap", 60),
        *((name, width) for name in ("crowd.pcap", "short.pcap") for width in (80, 100, 120, 200)),
    ],
)
def test_flow_numbers_and_endpoints_are_whole_and_on_one_line_where_they_fit(
    crowd, name, width, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", str(width))
    for switch in ([], ["--flows"]):
        out, _ = run(capsys, crowd / name, *switch)
        assert all(len(line) <= width for line in out.splitlines())
        flows = out[out.index("Flows") :].splitlines()[2:]
        assert "…" not in out or width == 60
        lines = 1 if width > (120 if name == "crowd.pcap" else 60) else 2  # a flow
        for number, (initiator, responder) in enumerate(FLOWS[: 3 if name == "crowd.pcap" else 2]):
            words = " ".join(flows[lines * number : lines * (number + 1)]).split()
            assert words[0] == str(number) and (width == 60 or {"reset", "reset:"} & set(words))
            assert {initiator, responder} <= set(words), "whole"


def test_segments_at_80_columns_keep_ports_flow_and_info(crowd, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out, _ = run(capsys, crowd / "crowd.pcap")
    table = out[out.index("Segments") :].splitlines()[1:]
    assert table[0].split() == ["frame", "time", "s", "flow", "info"]
    assert table[1].split() == [
        "1",
        "0.000000",
        "0",
        "55000",
        "→",
        "9898",
        "[SYN]",
        "Seq=0",
        "Win=64240",
        "Len=0",
    ]
    assert len(table) == 13  # no segment takes two lines


def test_what_was_not_looked_into_is_said(crowd, capsys):
    assert "Not looked into: 3 fragments, 2 frames of GRE." in run(capsys, crowd / "crowd.pcap").out
    for switch in ([], ["--flows"]):
        facts = as_json(capsys, crowd / "crowd.pcap", *switch)
        assert facts["file"]["not_looked_into"] == {"fragments": 3, "GRE": 2}
    assert "Not looked into" not in run(capsys, crowd / "short.pcap").out
    assert (
        "Attention: the file ends in the middle of frame 17 (byte " in run(capsys, crowd / "damaged.pcap").out
    )


def test_what_comes_from_the_network_does_not_steer_the_terminal(files, capsys):
    out, _ = run(capsys, files / "nasty.pcap", "--follow", 0)
    assert "\x1b" not in out and "\x07" not in out
    assert "[red]hi[/red]" in out  # nor rich's own markup
    assert printable(b"a\x1b\xff\n\xc3\xa9") == "a·�\né"


REFUSALS = {
    "no such file": (["nowhere.pcap"], "No such file"),
    "a folder": (["."], "Is a directory"),
    "no capture": (["keys.log"], "not a capture file"),
    "no such frame": (["frame.pcap", "--frame", "2"], "no frame 2"),
    "frame zero": (["frame.pcap", "--frame", "0"], "no frame 0"),
    "no such flow": (["frame.pcap", "--follow", "1"], "no flow 1"),
    "flow below zero": (["frame.pcap", "--follow", "-1"], "no flow -1"),
    "no such key log": (["frame.pcap", "--keys", "none.log"], "No such file"),
    "no key log": (["frame.pcap", "--keys", "frame.pcap"], "frame.pcap: this is not a key log"),
    "endless key log": (["frame.pcap", "--keys", "/dev/zero"], "/dev/zero: longer than 16 MiB"),
}


@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_refusals_are_one_line_and_exit_code_2(case, more, files, capsys, monkeypatch):
    monkeypatch.chdir(files)
    arguments, says = REFUSALS[case]
    out, err = run(capsys, *arguments, *more, code=2)
    assert out == "" and says in err and err.count("\n") == 1 and err.startswith("lab dissect: ")


def test_two_things_at_once_are_refused(files, capsys):
    with pytest.raises(SystemExit) as caught:
        main([str(files / "frame.pcap"), "--flows", "--frame", "1"])
    assert caught.value.code == 2


def test_a_reader_that_goes_away_is_no_error(files):
    code = "import sys; from lab.commands.dissect import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, str(files / "tls.pcapng"), "--json", "--limit", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait() == 0


def test_the_dissector_of_the_kit_knows_the_events_of_the_lines_wire():
    from lab.chat import events
    from lab.chat.json_wire import JsonWire
    from lab.exposure import chat_fields

    say = JsonWire().encode(events.Say("hello", "1"))
    title, parts = chat_fields.name_parts(say + JsonWire().encode(events.Leave()), 50_000, 9898)
    assert title == "Chat (json wire)"
    assert [part.meaning for part in parts] == [
        f"one event of the json wire: {name}" for name in ("Say", "Leave")
    ]
    _, [part] = chat_fields.name_parts(b'{"event":"say"}x\n', 50_000, 9898)
    assert part.meaning.startswith("not an event of the json wire")
