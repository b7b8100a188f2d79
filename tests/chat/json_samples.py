"""Events of the json wire, and damaged lines of it."""

import random

from lab.chat import events
from lab.chat.events import WireError
from lab.chat.json_wire import JsonWire

REQUESTS = [
    events.Join("Brandon"),
    events.Join("Zoë 名前", "päss"),
    events.Say("hello"),
    events.Say('ä€𝄞 "quoted" \\ {braces}', "id-1"),
    events.SayTo("John Smith", "hi", "2"),
    events.ListUsers(),
    events.Rename("Bran"),
    events.Leave(),
    events.Typing(),
    events.Typing(idle=True),
]


REPLIES = [
    events.Welcome("Brandon", ("private", "history")),
    events.Welcome("Brandon"),
    events.Joined("John"),
    events.Left("John"),
    events.Renamed("John", "Johnny"),
    events.Said("Brandon", "hello"),
    events.Said("Zoë", 'ä€𝄞 "q" \\ \u2028 \x7f', "7", 1_700_000_000),
    events.SaidTo("Brandon", "John", "psst", "8"),
    events.Users(("Brandon", "John")),
    events.Users(()),
    events.Notice("Server Closed"),
    events.Refused("name_taken", "somebody has that name already"),
    events.Refused("bad_text", "no", "9"),
    events.Typing("John"),
]


def encode(event, pad_to: int = 0) -> bytes:
    return JsonWire(pad_to=pad_to).encode(event)


def read(line: bytes, server: bool = True):
    """The first event in a line; raises the WireError that stands in its place."""
    event, *_ = JsonWire(server).feed(line if line.endswith(b"\n") else line + b"\n") or (None,)
    if isinstance(event, WireError):
        raise event
    return event


def fuzz_inputs(count: int, seed: int):
    dice = random.Random(seed)
    real = [encode(event) for event in (*REQUESTS, *REPLIES)]
    for _ in range(count):
        if dice.random() < 0.2:
            yield dice.randbytes(dice.randrange(600))
            continue
        data = bytearray(dice.choice(real) + dice.choice([b"", dice.choice(real)]))
        for _ in range(dice.randrange(1, 6)):
            data[dice.randrange(len(data))] = dice.choice([dice.randrange(256), *b'{}[]",:\\'])
        yield bytes(data)


def read_anything(data: bytes) -> None:
    """Whatever it is: events or WireErrors, nothing else, and what is read can be written and read again."""
    for server in (True, False):
        for event in JsonWire(server).feed(data + b"\n"):
            if isinstance(event, WireError):
                assert event.reason in events.REASONS
            elif isinstance(event, events.Say):
                assert read(encode(event)) == event
