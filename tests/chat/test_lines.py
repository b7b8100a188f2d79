"""The lines wire without sockets: both directions whole, byte by byte and with bytes behind; rules; fuzz."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.chat import commands, lines
from lab.chat.lines import LineError

REQUESTS = [
    lines.Join("Brandon"),
    lines.Join("Zoë 名前", "päss"),
    lines.Say("hello"),
    lines.Say('ä€𝄞 "quoted" \\ {braces}', "id-1"),
    lines.Msg("John Smith", "hi", "2"),
    lines.Who(),
    lines.Nick("Bran"),
    lines.Leave(),
]
REPLIES = [
    lines.Welcome("Brandon", ("private", "history")),
    lines.Welcome("Brandon"),
    lines.Joined("John"),
    lines.Left("John"),
    lines.Renamed("John", "Johnny"),
    lines.Said("Brandon", "hello"),
    lines.Said("Zoë", 'ä€𝄞 "q" \\ \u2028 \x7f', "7", 1_700_000_000),
    lines.Private("Brandon", "John", "psst", "8"),
    lines.Users(("Brandon", "John")),
    lines.Users((), True),
    lines.Notice("Server Closed"),
    lines.Error("name_taken", "somebody has that name already"),
    lines.Error("bad_text", "no", "9"),
]
BOTH = [(event, lines.read_request) for event in REQUESTS] + [(event, lines.read_reply) for event in REPLIES]


@pytest.mark.parametrize("event, read", BOTH, ids=lambda value: str(value) if isinstance(value, lines.Event) else "")
class TestBothWays:
    def test_whole(self, event, read):
        (line,) = lines.Receiver().feed(event.to_bytes())
        assert read(line) == event

    def test_with_its_newline(self, event, read):
        assert read(event.to_bytes()) == read(b" \t" + event.to_bytes()[:-1] + b" \r\n") == event

    def test_byte_by_byte(self, event, read):
        receiver = lines.Receiver()
        data = event.to_bytes()
        got = [line for i in range(len(data)) for line in receiver.feed(data[i : i + 1])]
        assert [read(line) for line in got] == [event]

    def test_with_bytes_behind(self, event, read):
        receiver = lines.Receiver()
        first, second = event.to_bytes(), event.to_bytes()
        (line,) = receiver.feed(first + second[:5])
        assert read(line) == event
        (line,) = receiver.feed(second[5:])
        assert read(line) == event

    def test_padded(self, event, read):
        padded = lines.pad(event.to_bytes(), 256)
        assert len(padded) % 256 == 0
        (line,) = lines.Receiver().feed(padded)
        assert read(line) == event

    def test_is_json_on_one_line(self, event, read):
        data = event.to_bytes()
        assert data.count(b"\n") == 1 and data.endswith(b"\n")
        members = json.loads(data)
        assert members["event"] == type(event).__name__.lower()

    def test_fields_of_a_newer_version_are_ignored(self, event, read):
        members = json.loads(event.to_bytes()) | {"newer": [1, {"a": None}]}
        assert read(json.dumps(members).encode()) == event


def test_an_event_of_a_newer_server_is_ignored():
    assert lines.read_reply(b'{"event":"reaction","emoji":"x"}') is None


@pytest.mark.parametrize(
    "line, reason",
    [
        (b"", "bad_json"),
        (b'{"event":"who"}x', "bad_json"),
        (b'{"event":"who"}{"event":"who"}', "bad_json"),
        (b'{"event":"who"}\x0c', "bad_json"),
        (b'\xc2\xa0{"event":"who"}', "bad_json"),
        (b"hello", "bad_json"),
        (b"[1]", "bad_json"),
        (b"null", "bad_json"),
        (b'{"event":"say","text":"a"', "bad_json"),
        (b'{"event":"say","text":"a\nb"}', "bad_json"),
        (b"[" * 16_000, "bad_json"),
        (b'{"a":' * 3_000, "bad_json"),
        (b'{"event":' + b"9" * 10_000 + b"}", "bad_json"),
        (b'{"event":"say","text":"\xff"}', "bad_utf8"),
        (b"\xef\xbb\xbf{}", "bad_json"),
        (b"{}", "bad_event"),
        (b'{"event":5}', "bad_event"),
        (b'{"event":["say"]}', "bad_event"),
        (b'{"event":"dance"}', "unknown_event"),
        (b'{"event":"said","name":"John","text":"I am a server"}', "unknown_event"),
        (b'{"event":"say"}', "bad_event"),
        (b'{"event":"say","text":5}', "bad_event"),
        (b'{"event":"say","text":null}', "bad_event"),
        (b'{"event":"say","text":""}', "bad_text"),
        (b'{"event":"say","text":"a\\nb"}', "bad_text"),
        (b'{"event":"say","text":"\\u001b[2J"}', "bad_text"),
        (b'{"event":"say","text":"\\ud800"}', "bad_text"),
        (b'{"event":"say","text":"\\u2028"}', "bad_text"),
        (b'{"event":"say","text":"' + b"x" * 1_001 + b'"}', "bad_text"),
        (b'{"event":"say","text":"a","id":7}', "bad_event"),
        (b'{"event":"say","text":"a","id":""}', "bad_event"),
        (b'{"event":"say","text":"a","id":"\\ud800"}', "bad_event"),
        (b'{"event":"join","name":"a","password":"' + b"x" * 257 + b'"}', "bad_event"),
    ],
)
def test_rules_of_requests(line, reason):
    with pytest.raises(LineError) as error:
        lines.read_request(line)
    assert error.value.reason == reason and error.value.reason in lines.REASONS
    assert "\n" not in str(error.value)


def test_a_text_may_be_long_however_it_is_written():
    text = "𝄞" * lines.MAX_TEXT_CHARACTERS
    for ascii_only in (True, False):
        line = json.dumps({"event": "say", "text": text}, ensure_ascii=ascii_only).encode()
        assert lines.read_request(*lines.Receiver().feed(line + b"\n")) == lines.Say(text)


@pytest.mark.parametrize("step", [1_000, lines.MAX_LINE_BYTES, 10**6])
def test_a_line_without_an_end(step):
    receiver = lines.Receiver()
    with pytest.raises(LineError) as error:
        for _ in range(0, 2 * lines.MAX_LINE_BYTES, step):
            receiver.feed(b"x" * step)
    assert error.value.reason == "too_long"


def test_the_longest_line():
    longest = b"x" * (lines.MAX_LINE_BYTES - 1)
    assert lines.Receiver().feed(longest + b"\n") == [longest]
    with pytest.raises(LineError):
        lines.Receiver().feed(longest + b"x\n")


@pytest.mark.parametrize(
    "name, kept",
    [
        ("Brandon", "Brandon"),
        ("  Zoë  B. ", "Zoë B."),
        ("ﬁona", "fiona"),
        ("名前", "名前"),
        ("Ｂ", "B"),
        ("O'Neil", "O'Neil"),
    ],
)
def test_names_are_kept_in_one_form(name, kept):
    assert lines.check_name(name) == kept


@pytest.mark.parametrize(
    "name, reason",
    [
        ("", "bad_name"),
        ("   ", "bad_name"),
        ("x" * 33, "bad_name"),
        ("a\x1b[31m", "bad_name"),
        ("a\u202eb", "bad_name"),
        ("a\u200bb", "bad_name"),
        ("\u3164", "bad_name"),
        ("a\u115fb", "bad_name"),
        ("\u0301a", "bad_name"),
        ("\ud800", "bad_name"),
        ("*** John Connected ***", "name_imitates"),
        ("<John>", "name_imitates"),
        ("John> hi", "name_imitates"),
        ("!Exit", "name_imitates"),
        ("/who", "name_imitates"),
        ("﹤John﹥", "name_imitates"),
        ("＜John＞", "name_imitates"),
    ],
)
def test_names_that_cannot_be(name, reason):
    with pytest.raises(LineError) as error:
        lines.check_name(name)
    assert error.value.reason == reason


@pytest.mark.parametrize("one, other", [("Zoë", "ZOË"), ("Zoë", "Zoe\u0308"), ("fi", "ﬁ"), ("ß", "SS"), ("Ⅷ", "viii")])
def test_names_that_are_the_same(one, other):
    assert lines.name_key(one) == lines.name_key(other)


def test_a_password_is_never_shown():
    assert "secret" not in repr(lines.Join("B", "secret")) + str(lines.Join("B", "secret"))


def test_long_user_lists_fit_in_lines():
    names = tuple("𝄞" * 30 + f"{i:02}" for i in range(250))
    received = lines.Receiver().feed(lines.users_lines(names))
    events = [lines.read_reply(line) for line in received]
    assert sum((event.names for event in events), ()) == names
    assert [event.more for event in events] == [True, True, None]
    assert lines.users_lines(()) == b'{"event":"users","names":[]}\n'


class TestCommands:
    @pytest.mark.parametrize(
        "typed, request_",
        [
            ("hello", lines.Say("hello")),
            ("//who", lines.Say("/who")),
            ("/who", lines.Who()),
            ("/WHO ", lines.Who()),
            ("/quit", lines.Leave()),
            ("/nick Zoë B", lines.Nick("Zoë B")),
            ("/msg John  hi there", lines.Msg("John", "hi there")),
            ('/msg "John Smith" hi', lines.Msg("John Smith", "hi")),
        ],
    )
    def test_read(self, typed, request_):
        assert commands.parse(typed) == request_

    @pytest.mark.parametrize(
        "typed", ["/", "/dance", "/msg", "/msg John", '/msg "John', "/nick", "/who is here", "/quit now"]
    )
    def test_what_is_no_command_is_never_said(self, typed):
        with pytest.raises(commands.CommandError) as error:
            commands.parse(typed)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("name", ["John", "John Smith"])
    def test_an_address_is_read_again(self, name):
        assert commands.parse(commands.address(name) + "hi") == lines.Msg(name, "hi")


def fuzz_inputs(count: int, seed: int):
    dice = random.Random(seed)
    real = [event.to_bytes() for event in (*REQUESTS, *REPLIES)]
    for _ in range(count):
        if dice.random() < 0.2:
            yield dice.randbytes(dice.randrange(600))
            continue
        data = bytearray(dice.choice(real) + dice.choice([b"", dice.choice(real)]))
        for _ in range(dice.randrange(1, 6)):
            data[dice.randrange(len(data))] = dice.choice([dice.randrange(256), *b'{}[]",:\\'])
        yield bytes(data)


def read_anything(data: bytes) -> None:
    """Whatever it is: events or LineError, nothing else, and what is read can be written and read again."""
    try:
        received = lines.Receiver().feed(data + b"\n")
    except LineError:
        return
    for line in received:
        for read in (lines.read_request, lines.read_reply):
            try:
                event = read(line)
            except LineError as error:
                assert error.reason in lines.REASONS
                continue
            if isinstance(event, lines.Say):
                assert read(event.to_bytes()[:-1]) == event


def test_seeded_fuzz():
    for data in fuzz_inputs(3_000, seed=9898):
        read_anything(data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=500))
def test_any_bytes(data):
    read_anything(data)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_any_name_is_refused_or_keeps_its_form(name):
    try:
        kept = lines.check_name(name)
    except LineError:
        return
    assert lines.check_name(kept) == kept
    assert lines.name_key(kept) == lines.name_key(name.strip()) or " " in kept


def test_the_page_shows_bytes_that_are_true():
    """Every example line of WIRE.md is read, and every reason is explained there."""
    page = (Path(lines.__file__).parent / "WIRE.md").read_text(encoding="utf-8")
    examples = [line.strip() for line in page.splitlines() if line.strip().startswith(("C {", "S {"))]
    assert len(examples) > 10
    for example in examples:
        side, data = example.split(" ", 1)
        event = (lines.read_request if side == "C" else lines.read_reply)(data.encode())
        assert event is not None, example
    for reason in lines.REASONS:
        assert f"`{reason}`" in page
    for kind in (*lines.REQUESTS, *lines.REPLIES):
        assert f"`{kind}`" in page
