"""Typed commands: what a user types after a slash, as events. Client and server read it with the same code.

On the json wire the client does, and sends events; a text is never a command there. On the report wire the text travels
as it is, and a server that has the feature ``TypedCommands`` reads it.
"""

import re

from lab.chat.client import ChatClient
from lab.chat.events import Event, Leave, ListUsers, Notice, Rename, Request, Said, Say, SayTo, WireError
from lab.chat.features import Feature
from lab.chat.member import Member
from lab.chat.names import check_name

HELP = {
    "msg": '/msg NAME TEXT: to one user alone (a name with blanks in "quotes")',
    "who": "/who: who is here",
    "nick": "/nick NAME: change my name",
    "quit": "/quit: leave",
    "help": "/help: this list",
    "/": "//TEXT: say something that begins with a slash",
}
NAME_AND_TEXT = re.compile(r'(?:"([^"]+)"|([^" ][^ ]*) ) *(.+)', re.DOTALL)


class NotARequest(ValueError):
    """What was typed is not for the server. Its arguments are lines for the user: the help, or what is wrong."""


def parse(text: str) -> Request:
    """Return the request in what somebody typed: a message, unless it starts with a slash. Raises NotARequest."""
    if not text.startswith("/"):
        return Say(text)
    if text.startswith("//"):
        return Say(text[1:])
    word, _, rest = text[1:].partition(" ")
    match word.lower(), rest.strip():
        case "msg", rest if found := NAME_AND_TEXT.fullmatch(rest):
            return SayTo(found[1] or found[2], found[3])
        case "nick", rest if rest:
            return Rename(rest.strip('"'))
        case "who", "":
            return ListUsers()
        case "quit", "":
            return Leave()
        case "help", _:
            raise NotARequest(*HELP.values())
        case command, _ if command in HELP:
            raise NotARequest(HELP[command])
    raise NotARequest(f"/{word} is not a command; /help lists them, //{word} says it as a text")


def enter(client: ChatClient, text: str) -> list[str]:
    """Do what a user typed, commands and all; return lines that answer it here. Raises ConnectionLost."""
    if not client.wire.has_commands:
        client.say(text)
        return []
    try:
        request = parse(text)
    except NotARequest as answer:
        return list(answer.args)
    match request:
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


class TypedCommands(Feature):
    """Change names, and carry out commands in the texts of a wire that has no events for them."""

    offers = ("commands",)

    def handle(self, member: Member, request: Event) -> bool:
        if isinstance(request, Rename):
            self._rename(member, check_name(request.name))
            return True
        if not isinstance(request, Say) or not request.text.startswith("/") or member.wire.has_commands:
            return False
        try:
            typed = parse(request.text.strip())
        except NotARequest as answer:
            self.room.post(Notice("; ".join(answer.args)), to=[member])
            return True
        match typed:
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

    def _rename(self, member: Member, name: str) -> None:
        for feature in self.room.features:
            feature.rename(member, name)
        self.room.rename(member, name)
