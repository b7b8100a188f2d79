"""Typed commands: what a user types after a slash, as events. Client and server read it with the same code.

On the json wire the client does, and sends events; a text is never a command there. On the report wire the text travels
as it is, and a server that has the feature ``TypedCommands`` reads it.
"""

from lab.chat.client import ChatClient
from lab.chat.events import Event, Leave, ListUsers, Notice, Rename, Request, Said, Say, SayTo, WireError
from lab.chat.features import Feature
from lab.chat.member import Member

HELP = (
    '/msg NAME TEXT: to one user alone (a name with blanks in "quotes")',
    "/who: who is here",
    "/nick NAME: change my name",
    "/quit: leave",
    "/help: this list",
    "//TEXT: say something that begins with a slash",
)


class CommandError(ValueError):
    """What was typed is not a command; the text says how it would be one."""


class Help:
    """The one command that needs no server."""


def parse(text: str) -> Request | Help:
    """Return the request in what somebody typed: a message, unless it starts with a slash. Raises CommandError."""
    if not text.startswith("/"):
        return Say(text)
    if text.startswith("//"):
        return Say(text[1:])
    word, _, rest = text[1:].partition(" ")
    rest = rest.strip()
    match word.lower():
        case "msg":
            return SayTo(*_name_and_text(rest))
        case "nick" if rest:
            return Rename(rest.strip('"'))
        case "who" if not rest:
            return ListUsers()
        case "quit" if not rest:
            return Leave()
        case "help":
            return Help()
        case "nick" | "who" | "quit":
            raise CommandError(next(line for line in HELP if line.startswith(f"/{word.lower()}")))
    raise CommandError(f"/{word} is not a command; /help lists them, //{word} says it as a text")


def enter(client: ChatClient, text: str) -> list[str]:
    """Do what a user typed, commands and all; return lines that answer it here. Raises ConnectionLost."""
    if not client.wire.has_commands:
        client.say(text)
        return []
    try:
        request = parse(text)
    except CommandError as error:
        return [str(error)]
    match request:
        case Help():
            return list(HELP)
        case Leave():
            client.leave()
        case SayTo() if "private" not in client.offers:
            return ["this server does not offer private messages, so nothing was sent"]
        case SayTo(to, text):
            client.say_to(to, text)
        case Say(text):
            client.say(text)
        case _:
            client.request(request)
    return []


def address(name: str) -> str:
    """Return the beginning of a private message to ``name``, ready to be typed on."""
    return f'/msg "{name}" ' if " " in name else f"/msg {name} "


def _name_and_text(rest: str) -> tuple[str, str]:
    if rest.startswith('"'):
        name, _, text = rest[1:].partition('"')
    else:
        name, _, text = rest.partition(" ")
    if not name or not text.strip():
        raise CommandError(HELP[0])
    return name, text.strip()


class TypedCommands(Feature):
    """``/who``, ``/msg``, ``/help``, ``/quit`` in the texts of a wire that has no events for them."""

    offers = ("commands",)

    def handle(self, member: Member, request: Event) -> bool:
        if not isinstance(request, Say) or not request.text.startswith("/") or member.wire.has_commands:
            return False
        try:
            typed = parse(request.text.strip())
        except CommandError as error:
            self.room.post(Notice(str(error)), to=[member])
            return True
        match typed:
            case Help():
                self.room.post(Notice("; ".join(HELP)), to=[member])
            case ListUsers():
                self.room.post(Notice("Users: " + ", ".join(self.room.names)), to=[member])
            case Leave():
                member.leaving = True
            case Say(text):
                self.room.post(Said(member.name, text), sender=member)
            case _:
                if not any(feature.handle(member, typed) for feature in self.room.features):
                    raise WireError("not_offered")
        return True
