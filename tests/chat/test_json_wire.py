"""The json wire without sockets: both directions whole, byte by byte and with bytes behind; rules; fuzz."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.chat import events, json_wire, names
from lab.chat.events import WireError
from lab.chat.features import typed_commands
from lab.chat.json_wire import JsonWire
from tests.chat.json_samples import REPLIES, REQUESTS, encode, fuzz_inputs, read, read_anything

BOTH = [(event, True) for event in REQUESTS] + [(event, False) for event in REPLIES]


@pytest.mark.parametrize("event, server", BOTH, ids=str)
class TestBothWays:
    def test_whole(self, event, server):
        assert JsonWire(server).feed(encode(event)) == [event]

    def test_with_blanks_around_it(self, event, server):
        assert read(b" \t" + encode(event)[:-1] + b" \r\n", server) == event

    def test_byte_by_byte(self, event, server):
        wire, data = JsonWire(server), encode(event)
        assert [found for i in range(len(data)) for found in wire.feed(data[i : i + 1])] == [event]

    def test_with_bytes_behind(self, event, server):
        wire, data = JsonWire(server), encode(event)
        assert wire.feed(data + data[:5]) == [event]
        assert wire.feed(data[5:]) == [event]

    def test_padded(self, event, server):
        padded = encode(event, pad_to=256)
        assert len(padded) % 256 == 0
        assert JsonWire(server).feed(padded) == [event]

    def test_is_json_on_one_line(self, event, server):
        data = encode(event)
        assert data.count(b"\n") == 1 and data.endswith(b"\n")
        kinds = json_wire.REQUESTS if server else json_wire.REPLIES
        assert kinds[json.loads(data)["event"]] is type(event)

    def test_fields_of_a_newer_version_are_ignored(self, event, server):
        members = json.loads(encode(event)) | {"newer": [1, {"a": None}]}
        assert read(json.dumps(members).encode(), server) == event


def test_the_words_of_the_wire():
    assert sorted(json_wire.REQUESTS) == ["join", "leave", "msg", "nick", "say", "typing", "who"]
    assert sorted(json_wire.REPLIES) == sorted(
        ["welcome", "joined", "left", "renamed", "said", "private", "users", "notice", "error", "typing"]
    )


def test_an_event_of_a_newer_server_is_ignored():
    assert JsonWire().feed(b'{"event":"reaction","emoji":"x"}\n') == []


@pytest.mark.parametrize(
    "event", [events.Announce(), events.Announced("B"), events.Users(("B",), changed=True)]
)
def test_what_this_wire_has_no_word_for(event):
    assert encode(event) == b""


def test_a_broken_line_costs_only_itself():
    found = JsonWire(server=True).feed(
        encode(events.Say("a")) + b'{"event":"dance"}\n' + encode(events.Say("b"))
    )
    assert [found[0], found[1].reason, found[2]] == [events.Say("a"), "unknown_event", events.Say("b")]


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
    with pytest.raises(WireError) as error:
        read(line)
    assert error.value.reason == reason and error.value.reason in events.REASONS
    assert "\n" not in str(error.value)


def test_a_text_may_be_long_however_it_is_written():
    text = "𝄞" * json_wire.MAX_TEXT_CHARACTERS
    for ascii_only in (True, False):
        assert read(
            json.dumps({"event": "say", "text": text}, ensure_ascii=ascii_only).encode()
        ) == events.Say(text)


@pytest.mark.parametrize("text", ["", "a\nb", "\ud800", "x" * 1_001])
@pytest.mark.parametrize("kind", [events.Say, lambda text: events.SayTo("John", text)])
def test_a_bad_text_is_never_sent(kind, text):
    with pytest.raises(WireError) as error:
        encode(kind(text))
    assert error.value.reason == "bad_text"


@pytest.mark.parametrize("step", [1_000, json_wire.MAX_LINE_BYTES, 10**6])
def test_a_line_without_an_end(step):
    wire = JsonWire(server=True)
    found = [event for _ in range(0, 2 * json_wire.MAX_LINE_BYTES, step) for event in wire.feed(b"x" * step)]
    assert found[0].reason == "too_long" and found[0].fatal


def test_the_longest_line():
    longest = b'{"event":"who"}'.ljust(json_wire.MAX_LINE_BYTES - 1)
    assert read(longest) == events.ListUsers()
    with pytest.raises(WireError) as error:
        read(longest + b" ")
    assert error.value.reason == "too_long"


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
    assert names.check_name(name) == kept


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
    with pytest.raises(WireError) as error:
        names.check_name(name)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    "one, other", [("Zoë", "ZOË"), ("Zoë", "Zoe\u0308"), ("fi", "ﬁ"), ("ß", "SS"), ("Ⅷ", "viii")]
)
def test_names_that_are_the_same(one, other):
    assert names.name_key(one) == names.name_key(other)


def test_a_password_is_never_shown():
    assert "secret" not in repr(events.Join("B", "secret")) + str(events.Join("B", "secret"))


def test_long_user_lists_fit_in_lines():
    names = tuple("𝄞" * 30 + f"{i:02}" for i in range(250))
    lines = encode(events.Users(names)).splitlines(keepends=True)
    assert [json.loads(line).get("more") for line in lines] == [True, True, None]
    assert max(map(len, lines)) <= json_wire.MAX_LINE_BYTES
    client = JsonWire()
    assert [client.feed(line) for line in lines] == [[], [], [events.Users(names)]]
    assert encode(events.Users(())) == b'{"event":"users","names":[]}\n'


class TestCommands:
    @pytest.mark.parametrize(
        "typed, request_",
        [
            ("hello", events.Say("hello")),
            ("//who", events.Say("/who")),
            ("/who", events.ListUsers()),
            ("/WHO ", events.ListUsers()),
            ("/quit", events.Leave()),
            ("/nick Zoë B", events.Rename("Zoë B")),
            ("/msg John  hi there", events.SayTo("John", "hi there")),
            ('/msg "John Smith" hi', events.SayTo("John Smith", "hi")),
        ],
    )
    def test_read(self, typed, request_):
        assert typed_commands.parse(typed) == request_

    @pytest.mark.parametrize(
        "typed", ["/", "/dance", "/msg", "/msg John", '/msg "John', "/nick", "/who is here", "/quit now"]
    )
    def test_what_is_no_command_is_never_said(self, typed):
        with pytest.raises(typed_commands.NotARequest) as error:
            typed_commands.parse(typed)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("name", ["John", "John Smith"])
    def test_an_address_is_read_again(self, name):
        assert typed_commands.parse(typed_commands.address(name) + "hi") == events.SayTo(name, "hi")


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
        kept = names.check_name(name)
    except WireError:
        return
    assert names.check_name(kept) == kept
    assert names.name_key(kept) == names.name_key(name.strip()) or " " in kept


def test_the_page_shows_bytes_that_are_true():
    """Every example line of README.md is read, and every reason is explained there."""
    page = (Path(json_wire.__file__).parent / "README.md").read_text(encoding="utf-8")
    examples = [line.strip() for line in page.splitlines() if line.strip().startswith(("C {", "S {"))]
    assert len(examples) > 10
    for example in examples:
        side, data = example.split(" ", 1)
        assert read(data.encode(), server=side == "C") is not None, example
    for reason in events.REASONS:
        assert f"`{reason}`" in page
    for kind in (*json_wire.REQUESTS, *json_wire.REPLIES):
        assert f"`{kind}`" in page
