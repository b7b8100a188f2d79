"""Commands: ``/nick`` for everyone, and ``/who``, ``/msg``, ``/help``, ``/quit`` typed by a client of the report's."""

from lab.chat import commands, lines
from lab.chat.feature import Feature


class Commands(Feature):
    offers = ("commands",)

    def handle(self, member, request: lines.Request) -> bool:
        if isinstance(request, lines.Say) and request.text.startswith("/") and not member.speaks_lines:
            try:
                return self._obey(member, commands.parse(request.text.strip()))
            except commands.CommandError as error:
                self.room.tell_text(str(error), to=[member])
                return True
        if isinstance(request, lines.Nick):
            name = lines.check_name(request.name)
            for feature in self.room.features:
                feature.rename(member, name)
            self.room.rename(member, name)
            return True
        return False

    def _obey(self, member, request: lines.Request | commands.Help) -> bool:
        match request:
            case commands.Help():
                self.room.tell_text("; ".join(commands.HELP), to=[member])
            case lines.Who():
                self.room.tell_text("Users: " + ", ".join(self.room.names), to=[member])
            case lines.Leave():
                member.leaving = True
            case lines.Say(text):
                self.room.say(member, text)
            case _:
                if not self.room.handle(member, request):
                    raise lines.LineError("not_offered")
        return True
