"""One-to-one messages: ``/msg NAME TEXT``. They go to the two alone and are kept nowhere.

Private from the other users, that is: without TLS everybody on the path reads them all the same (**lesson**).
"""

from lab.chat.events import Event, SaidTo, SayTo, WireError
from lab.chat.features import Feature
from lab.chat.member import Member


class Private(Feature):
    offers = ("private",)

    def handle(self, member: Member, request: Event) -> bool:
        if not isinstance(request, SayTo):
            return False
        other = self.room.find(request.to)
        if other is None:
            raise WireError("no_such_user", id=request.id)
        event = SaidTo(member.name, other.name, request.text, request.id)
        self.room.post(event, to=dict.fromkeys((member, other)))
        return True
