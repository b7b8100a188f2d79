"""One-to-one messages: ``/msg NAME TEXT``. They go to the two alone and are kept nowhere.

Private from the other users, that is: without TLS everybody on the path reads them all the same (**lesson**).
"""

from lab.chat import lines, wire
from lab.chat.feature import Feature


class Private(Feature):
    offers = ("private",)

    def handle(self, member, request: lines.Request) -> bool:
        if not isinstance(request, lines.Msg):
            return False
        other = self.room.find(request.to)
        if other is None:
            raise lines.LineError("no_such_user", id=request.id)
        event = lines.Private(member.name, other.name, request.text, request.id)
        text = wire.Text(f"<{member.name} to {other.name} alone> {request.text}")
        self.room.tell(text.to_bytes(), event.to_bytes(), to=dict.fromkeys((member, other)))
        return True
