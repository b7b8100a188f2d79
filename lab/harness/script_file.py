"""A conversation written in a text file, one step a line: ``lab/capture.py --script talk.txt``.

    # a comment; empty lines are ignored
    Brandon joins
    John: hello                      (John joins first, since he has not)
    Brandon: /msg John a secret      (private; left out on the report wire, which has no private messages)
    John leaves

Users who are still there at the end leave, in order of arrival. A user who has left cannot return: the manifest knows
users by their names. A text that a wire could not carry, or would read as something else, is refused with its line
number.
"""

from pathlib import Path

from lab.chat import events, json_wire, report_wire
from lab.chat.names import check_name, name_key
from lab.chat.report_wire import READ_BYTES, ReportWire
from lab.harness.script import Script, Step

MAX_FILE_BYTES = 32_768
MAX_STEPS = 500
MAX_USERS = 16


class ScriptError(ValueError):
    """A script that cannot be played; the text names the file and the line."""


def read_script(path: Path) -> Script:
    """Return the conversation in a file. Raises ScriptError."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ScriptError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise ScriptError(f"{path} is longer than {MAX_FILE_BYTES} bytes: split it")
    try:
        return parse_script(data.decode("utf-8-sig"), path.name)
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise ScriptError(f"{path.name}, line {number}: not UTF-8: save the file as UTF-8") from None


def parse_script(text: str, source: str) -> Script:
    """Return the conversation that a text describes; ``source`` names it in errors. Raises ScriptError."""
    room = _Room()
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        try:
            room.read(line)
        except ValueError as error:
            raise ScriptError(f"{source}, line {number}: {events.printable(str(error))}") from None
    if not any(step.action == "say" for step in room.steps):
        raise ScriptError(f'{source}: nobody says anything; a line such as "Brandon: hello" is needed')
    for name in list(room.present):
        room.leave(name)
    return Script(0, tuple(room.steps), source=source)


class _Room:
    """The users present as the lines are read, and the steps so far. Methods raise ValueError."""

    def __init__(self) -> None:
        self.present: dict[str, None] = {}  # an ordered set
        self.steps: list[Step] = []
        self._gone: set[str] = set()

    def read(self, line: str) -> None:
        name, colon, said = (part.strip() for part in line.partition(":"))
        if colon:
            if name not in self.present:
                self.join(name)
            self.steps.append(_spoken(name, said, self.present))
        elif line.endswith(" joins"):
            self.join(line.removesuffix(" joins"))
        elif line.endswith(" leaves"):
            self.leave(line.removesuffix(" leaves"))
        else:
            raise ValueError('write "NAME: text", "NAME joins", "NAME leaves" or "# comment"')
        if len(self.steps) > MAX_STEPS:
            raise ValueError(f"a script takes up to {MAX_STEPS} steps")

    def join(self, name: str) -> None:
        if name in self.present:
            raise ValueError(f"{name} is in the room already")
        if name in self._gone:
            raise ValueError(f"{name} has left and cannot return: use another name")
        if check_name(name) != report_wire.check_name(name) or check_name(name) != name:
            raise ValueError(f"{name!r} would be changed by the server: use a simpler name")
        taken = (*self.present, *self._gone)
        if any(name_key(name) == name_key(other) for other in taken):
            raise ValueError(f"{name} is too similar to a name that is taken")
        if len(taken) == MAX_USERS:
            raise ValueError(f"a script takes up to {MAX_USERS} users")
        self.present[name] = None
        self.steps.append(Step(name, "join"))

    def leave(self, name: str) -> None:
        if name not in self.present:
            raise ValueError(f"{name} is not in the room")
        del self.present[name]
        self._gone.add(name)
        self.steps.append(Step(name, "leave"))


def _spoken(who: str, text: str, present: dict[str, None]) -> Step:
    """Return the step in which somebody speaks. Raises ValueError."""
    to = ""
    if text.startswith("/"):
        command, _, rest = text.partition(" ")
        longest_first = sorted(present, key=len, reverse=True)
        to = next((name for name in longest_first if f"{rest} ".startswith(f"{name} ")), "")
        if command != "/msg":
            raise ValueError(f"{command} is not supported: only /msg NAME TEXT is")
        if not to:
            raise ValueError("/msg needs the name of somebody in the room, and a text")
        if to == who:
            raise ValueError("/msg to oneself is not supported")
        text = rest[len(to) :].strip()
    if not json_wire.TEXT.fullmatch(text):
        raise ValueError(events.REASONS["bad_text"])
    said = events.Said(who, text)
    echoed = ReportWire.encode(said)
    if len(echoed) > READ_BYTES:
        raise ValueError(f"with the name, a line takes up to {READ_BYTES} bytes on the report wire")
    read = report_wire.read_request(text.encode()), report_wire.read_replies(echoed)
    if not to and read != (events.Say(text), [said]):
        raise ValueError(f"{text!r} has another meaning on the report wire")
    return Step(who, "tell" if to else "say", text, to)
