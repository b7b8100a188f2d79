"""What a person types after a slash, as requests of the lines wire. Client and server read it with the same eyes.

On the lines wire the client does, and sends events; a text is never a command there. On the report wire the text
travels as it is, and a server that has the feature ``commands`` reads it.
"""

from lab.chat import lines

HELP = (
    '/msg NAME TEXT: to one user alone (a name with blanks in "quotes")',
    "/who: who is here",
    "/nick NAME: change my name",
    "/quit: leave",
    "/help: this list",
    "//TEXT: say something that begins with a slash",
)


class CommandError(ValueError):
    """What was typed is no command; the text says how it would be one."""


class Help:
    """The one command that needs no server."""


def parse(text: str) -> lines.Request | Help:
    """The request in what somebody typed: a message, unless it starts with a slash. Raises CommandError."""
    if not text.startswith("/"):
        return lines.Say(text)
    if text.startswith("//"):
        return lines.Say(text[1:])
    word, _, rest = text[1:].partition(" ")
    rest = rest.strip()
    match word.lower():
        case "msg":
            return lines.Msg(*_name_and_text(rest))
        case "nick" if rest:
            return lines.Nick(rest.strip('"'))
        case "who" if not rest:
            return lines.Who()
        case "quit" if not rest:
            return lines.Leave()
        case "help":
            return Help()
        case "nick" | "who" | "quit":
            raise CommandError(next(line for line in HELP if line.startswith(f"/{word.lower()}")))
    raise CommandError(f"/{word} is no command; /help lists them, //{word} says it as a text")


def address(name: str) -> str:
    """The beginning of a private message to ``name``, ready to be typed on."""
    return f'/msg "{name}" ' if " " in name else f"/msg {name} "


def _name_and_text(rest: str) -> tuple[str, str]:
    if rest.startswith('"'):
        name, _, text = rest[1:].partition('"')
    else:
        name, _, text = rest.partition(" ")
    if not name or not text.strip():
        raise CommandError(HELP[0])
    return name, text.strip()
