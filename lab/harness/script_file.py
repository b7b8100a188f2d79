"""A conversation written in a text file, one step a line: ``lab/capture.py --script talk.txt``.

    # a comment; empty lines count for nothing
    Brandon joins
    John: hello                      (John joins first, since he has not)
    Brandon: /msg John a secret      (private; left out on the report wire, which has no private messages)
    John leaves

Whoever is still there at the end leaves, in order of arrival. A user who has left cannot return: the manifest knows
users by their name. What a wire could not carry, or could take for something else, is refused with its line number.
"""

from pathlib import Path

from lab.chat import events, json_wire, report_wire
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
    present: dict[str, None] = {}  # an ordered set
    gone: set[str] = set()
    steps: list[Step] = []

    def join(name: str) -> None:
        if name in gone:
            raise ValueError(f"{name} has left and cannot return: use another name")
        if json_wire.check_name(name) != report_wire.check_name(name) or json_wire.check_name(name) != name:
            raise ValueError(f"{name!r} would be changed by the server: use a simpler name")
        if any(events.name_key(name) == events.name_key(other) for other in (*present, *gone)):
            raise ValueError(f"{name} is too similar to a name that is taken")
        if len(present) + len(gone) == MAX_USERS:
            raise ValueError(f"a script takes up to {MAX_USERS} users")
        present[name] = None
        steps.append(Step(name, "join"))

    def leave(name: str) -> None:
        if name not in present:
            raise ValueError(f"{name} is not in the room")
        del present[name]
        gone.add(name)
        steps.append(Step(name, "leave"))

    def say(name: str, said: str) -> None:
        if name not in present:
            join(name)
        steps.append(_spoken(name, said, present))

    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        who, colon, said = (part.strip() for part in line.partition(":"))
        words = line.split(" ")
        try:
            if colon:
                say(who, said)
            elif words[-1] == "joins" and line.removesuffix(" joins") in present:
                raise ValueError(f"{' '.join(words[:-1])} is in the room already")
            elif words[-1] in ("joins", "leaves"):
                (join if words[-1] == "joins" else leave)(" ".join(words[:-1]))
            else:
                raise ValueError('write "NAME: text", "NAME joins", "NAME leaves" or "# comment"')
            if len(steps) > MAX_STEPS:
                raise ValueError(f"a script takes up to {MAX_STEPS} steps")
        except ValueError as error:
            raise ScriptError(f"{source}, line {number}: {events.printable(str(error))}") from None
    if not any(step.action == "say" for step in steps):
        raise ScriptError(f'{source}: nobody says anything; a line such as "Brandon: hello" is needed')
    for name in list(present):
        leave(name)
    return Script(0, tuple(steps), source=source)


def _spoken(who: str, text: str, present: dict[str, None]) -> Step:
    """Return the step in which somebody speaks. Raises ValueError."""
    to = ""
    if text.startswith("/"):
        command, _, rest = text.partition(" ")
        to = next(
            (name for name in sorted(present, key=len, reverse=True) if f"{rest} ".startswith(f"{name} ")), ""
        )
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
    if not to and (
        report_wire.read_request(text.encode()) != events.Say(text)
        or report_wire.read_replies(echoed) != [said]
    ):
        raise ValueError(f"{text!r} has another meaning on the report wire")
    return Step(who, "tell" if to else "say", text, to)
