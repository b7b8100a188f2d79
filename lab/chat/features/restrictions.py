"""Which clients the server serves: those on TLS alone, or those of one wire alone."""

from lab.chat.events import WireError
from lab.chat.features import Feature
from lab.chat.member import Member


class TlsOnly(Feature):
    def admit(self, member: Member, password: str | None) -> None:
        if not member.connection.tls_version:
            raise WireError("not_offered", "this server speaks TLS only")


class OneWire(Feature):
    """``wire`` is a key of ``WIRES``."""

    def __init__(self, wire: str):
        self.wire = wire

    def admit(self, member: Member, password: str | None) -> None:
        if member.wire.name != self.wire:
            raise WireError("not_offered", f"this server does not speak the {member.wire.name} wire")
