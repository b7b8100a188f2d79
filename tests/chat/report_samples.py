"""Names, texts and hostile user lists for the report wire, and damaged messages of it."""

import pickle
import random

from lab.chat import events, report_wire
from lab.chat.events import WireError
from lab.chat.report_wire import ReportWire

NAMES = ["Brandon", "John", "Zoë", "名前", "O'Neil", "a" * report_wire.MAX_NAME_CHARACTERS]


TEXTS = ["hello", "ä€𝄞", "!exit", "<John> hi", "*** x Connected ***", " ", "a\nb", "x" * 900]


def first_read(data):
    """Return the event that the server finds in the first read of a connection."""
    (request,) = ReportWire(server=True).feed(data)
    if isinstance(request, WireError):
        raise request
    return request


class Evil:
    """Pickles to a call, as an attacker's user list would."""

    ran = False

    def __reduce__(self):
        return (setattr, (Evil, "ran", True))


HOSTILE = {
    "a call in protocol 0": pickle.dumps([Evil()], 0),
    "a call in protocol 5": pickle.dumps([Evil()], 5),
    "a global": b"cos\nsystem\n(S'true'\ntR.",
    "an import by stack": b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    "an object built": b"\x80\x02c__main__\nX\n)\x81}b.",
    "a dictionary": pickle.dumps({"a": 1}),
    "a list of numbers": pickle.dumps([1, 2]),
    "a list in a list": pickle.dumps([["a"]]),
    "a list that holds itself": b"\x80\x04]\x94h\x00a.",
    "a string": pickle.dumps("Brandon"),
    "bytes": pickle.dumps([b"a"]),
    "a memo that is not there": b"\x80\x04]\x94h\x07a.",
    "an append to nothing": b"\x80\x04a.",
    "a memo of nothing": b"\x80\x04\x94.",
    "a stop at once": b"\x80\x04.",
    "a mark alone": b"\x80\x04](.",
    "an extension": b"\x80\x02\x82\x01.",
    "a persistent id": b"\x80\x02U\x01aQ.",
    "a length that is not there": b"\x80\x04]\x94X\xff\xff\xff\xffabc",
    "a huge length": b"\x80\x04]\x94\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc",
    "text in an ASCII-looking opcode": b"\x80\x04]\x94Vabc",
}


def fuzz_inputs(count: int, seed: int):
    """Random bytes, and real messages with random damage: seeded, so that a failure can be had again."""
    dice = random.Random(seed)
    real = [
        ReportWire.encode(events.Users(tuple(NAMES))),
        *(ReportWire.encode(events.Said("John", text)) for text in TEXTS),
    ]
    real += [*HOSTILE.values(), *report_wire.COMMANDS]
    for _ in range(count):
        if dice.random() < 0.3:
            yield dice.randbytes(dice.randrange(report_wire.READ_BYTES))
            continue
        data = bytearray(dice.choice(real) + dice.choice([b"", dice.choice(real)]))
        for _ in range(dice.randrange(1, 6)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        yield bytes(data[: report_wire.READ_BYTES])


def read_anything(data: bytes) -> None:
    """Read bytes as either side does: the results are events that can be shown, and only WireError is raised."""
    for event in report_wire.read_replies(data):
        assert isinstance(event, events.Reply)
        events.printable(str(event))
    try:
        first_read(data)
    except WireError as error:
        assert "\n" not in str(error)
    assert isinstance(report_wire.read_request(data), events.Request)
