"""``/nick``: a user changes name."""

from lab.chat.events import Event, Rename
from lab.chat.features import Feature
from lab.chat.member import Member
from lab.chat.names import check_name


class Nickname(Feature):
    """``Rename`` for everyone, in the form and under the rules of the json wire's names."""

    def handle(self, member: Member, request: Event) -> bool:
        if not isinstance(request, Rename):
            return False
        name = check_name(request.name)
        for feature in self.room.features:
            feature.rename(member, name)
        self.room.rename(member, name)
        return True
