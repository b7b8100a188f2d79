"""Typing notices: a client reports each key, and the others see that somebody is typing.

Clients of the json wire only. Over TLS each notice is a record of its own, so an eavesdropper sees when each key was
pressed (**lesson**).
"""

from lab.chat.events import Event, Typing
from lab.chat.features import Feature
from lab.chat.member import Member


class TypingNotices(Feature):
    offers = ("typing",)

    def handle(self, member: Member, request: Event) -> bool:
        if not isinstance(request, Typing):
            return False
        others = [other for other in self.room.members if other is not member]
        self.room.post(Typing(member.name, request.idle), to=others)
        return True
