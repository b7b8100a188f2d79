"""The report wire: every event both ways, whole, byte by byte and with bytes behind it; and hostile user lists."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.chat import events, report_wire
from lab.chat.events import WireError
from lab.chat.report_wire import ReportWire
from tests.chat.report_samples import HOSTILE, NAMES, TEXTS, Evil, first_read, fuzz_inputs, read_anything


def whole(reply):
    return report_wire.read_replies(ReportWire.encode(reply))


class TestRequests:
    @pytest.mark.parametrize("command", report_wire.COMMANDS.values())
    def test_a_command_is_itself_after_the_name_and_no_name(self, command):
        assert report_wire.read_request(ReportWire.encode(command)) == command
        with pytest.raises(WireError, match="command"):
            first_read(ReportWire.encode(command))

    @pytest.mark.parametrize("command", report_wire.COMMANDS.values())
    def test_a_command_with_bytes_behind_it_is_a_message(self, command):
        """One read is one message, so a glued command is not a command: the report's own lesson."""
        read = ReportWire.encode(command) + b"hello"
        assert report_wire.read_request(read) == events.Say(read.decode())

    @pytest.mark.parametrize("command", report_wire.COMMANDS.values())
    def test_a_command_byte_by_byte_is_as_many_messages(self, command):
        data = ReportWire.encode(command)
        reads = [report_wire.read_request(data[i : i + 1]) for i in range(len(data))]
        assert reads == [events.Say(chr(byte)) for byte in data]

    @pytest.mark.parametrize("name", NAMES)
    def test_names(self, name):
        assert first_read(ReportWire.encode(events.Join(name))) == events.Join(name)

    @pytest.mark.parametrize("text", TEXTS)
    def test_messages(self, text):
        assert report_wire.read_request(ReportWire.encode(events.Say(text))) == events.Say(text)

    @pytest.mark.parametrize(
        "name, reason",
        [
            (b"", "empty"),
            (b" \t ", "empty"),
            (b"\x1b[31mred", "printed"),
            (b"a" * (report_wire.MAX_NAME_CHARACTERS + 1), "longer"),
            (b"!Exit", "command"),
            (b"two\nlines", "printed"),
        ],
    )
    def test_names_that_cannot_be_used(self, name, reason):
        with pytest.raises(WireError, match=reason):
            first_read(name)

    def test_a_cut_inside_a_character_shows(self):
        first, second = "€".encode()[:2], "€".encode()[2:]
        assert report_wire.read_request(first) == events.Say("\ufffd")
        assert report_wire.read_request(second) == events.Say("\ufffd")


class TestReplies:
    @pytest.mark.parametrize("name", NAMES)
    def test_arrivals(self, name):
        assert whole(events.Announced(name)) == [events.Announced(name)]

    @pytest.mark.parametrize("text", TEXTS)
    def test_messages(self, text):
        assert whole(events.Said("Brandon", text)) == [events.Said("Brandon", text)]

    @pytest.mark.parametrize("count", [0, 1, 2, 3, 300])
    @pytest.mark.parametrize("protocol", range(1, pickle.HIGHEST_PROTOCOL + 1))
    def test_user_lists_of_every_binary_pickle_protocol(self, count, protocol):
        names = [f"{NAMES[i % len(NAMES)]}{i}" for i in range(count)]
        assert report_wire.read_users(pickle.dumps(names, protocol))[0] == events.Users(tuple(names))

    def test_a_name_twice_in_the_list(self):
        names = ["John"] * 3  # pickled once and fetched from the memo
        assert whole(events.Users(tuple(names))) == [events.Users(tuple(names))]

    def test_the_sizes_of_the_report(self):
        assert len(ReportWire.encode(events.Users(("Brandon",)))) == 25
        assert len(ReportWire.encode(events.Users(("Brandon", "John")))) == 33
        assert ReportWire.encode(events.Said("Brandon", "hello")) == b"<Brandon> hello"

    def test_glued_to_a_list(self):
        users = events.Users(("Brandon", "John"))
        said, connected = events.Said("John", "hello ä"), events.Announced("John")
        for before in (b"", ReportWire.encode(connected)):
            for behind in (b"", ReportWire.encode(said)):
                read = before + ReportWire.encode(users) + ReportWire.encode(users) + behind
                wanted = [connected] * bool(before) + [users, users] + [said] * bool(behind)
                assert report_wire.read_replies(read) == wanted

    def test_glued_texts_cannot_be_told_apart(self):
        read = ReportWire.encode(events.Said("a", "one")) + ReportWire.encode(events.Said("b", "two"))
        assert report_wire.read_replies(read) == [events.Said("a", "one<b> two")]

    @pytest.mark.parametrize(
        "reply", [events.Announced("Zoë"), events.Said("Zoë", "ä€"), events.Users(("Zoë", "John"))], ids=str
    )
    def test_byte_by_byte_invents_nothing(self, reply):
        data = ReportWire.encode(reply)
        for i in range(len(data)):
            (event,) = report_wire.read_replies(data[i : i + 1])
            assert isinstance(event, events.Text)

    def test_every_cut_of_a_list_is_text_not_a_shorter_list(self):
        data = ReportWire.encode(events.Users(("Brandon", "John")))
        for i in range(1, len(data)):
            assert not any(isinstance(event, events.Users) for event in report_wire.read_replies(data[:i]))


class TestHostileLists:
    @pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
    def test_is_refused_and_nothing_runs(self, data):
        with pytest.raises(WireError) as error:
            report_wire.read_users(data)
        assert "\n" not in str(error.value)
        assert not any(isinstance(event, events.Users) for event in report_wire.read_replies(data))
        assert not Evil.ran

    def test_and_the_twin_the_report_runs_it(self):
        """Without this, a list that no unpickler would have run could stand above and prove nothing."""
        try:
            pickle.loads(HOSTILE["a call in protocol 5"])
            assert Evil.ran
        finally:
            Evil.ran = False

    def test_a_memo_bomb_stays_small(self):
        """``[[x, x], ...]`` doubled 60 times is a few hundred bytes that would unpack to 10^18 entries."""
        bomb = b"\x80\x04]\x94" + b"".join(b"]\x94(h%ch%ce" % (i, i) for i in range(60)) + b"."
        with pytest.raises(WireError):
            report_wire.read_users(bomb)

    def test_one_name_fetched_too_often(self):
        fetched = b"\x80\x04]\x94(\x8c\x01a\x94" + b"h\x01" * (report_wire.MAX_USERS + 1) + b"e."
        with pytest.raises(WireError, match="more than"):
            report_wire.read_users(fetched)

    @pytest.mark.parametrize("cut", range(33))
    def test_truncated(self, cut):
        with pytest.raises(WireError):
            report_wire.read_users(ReportWire.encode(events.Users(("Brandon", "John")))[:cut])


# The warning is pickletools's, on such bytes.
@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
def test_seeded_fuzz():
    for data in fuzz_inputs(3_000, seed=9898):
        read_anything(data)
    assert not Evil.ran


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=report_wire.READ_BYTES))
def test_any_bytes_can_be_read(data):
    read_anything(data)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=20).filter(lambda s: s.isprintable()), max_size=20))
def test_any_list_survives_the_way_there_and_back(names):
    assert report_wire.read_users(ReportWire.encode(events.Users(tuple(names))))[0] == events.Users(
        tuple(names)
    )


def test_what_a_terminal_would_obey_is_made_visible():
    assert events.printable("a\x1b[2Jb\x07\x9b31m\u202e") == "a\\x1b[2Jb\\x07\\x9b31m\\u202e"
    assert events.printable("Zoë €") == "Zoë €"
