"""What an eavesdropper has of a capture, as plain data."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Message:
    """One message on its way to the server. What could not be read or inferred is None.

    ``kind`` is name, say, tell (private), announce, list, leave, other; under TLS it is inferred from place and length.
    ``length`` is the message's length on the chat's own wire, in bytes; ``text_length`` that of a line's text (UTF-8).
    """

    frame: int
    time_ns: int
    endpoint: str  # "address:port" of the user's side
    kind: str
    length: int
    payload: bytes  # as on the wire, the record's content under TLS
    text_length: int | None = None
    who: str | None = None
    text: str | None = None
    to: str | None = None
    password: str | None = None
    recipients: tuple[str, ...] = ()  # endpoints that the server sent something to because of it, in order

    @property
    def is_line(self) -> bool:
        """Whether it is a line of the conversation, read or not."""
        return self.kind in ("say", "tell")


@dataclass(frozen=True, order=True)
class Delivery:
    """``length`` bytes that the server sent to a user."""

    time_ns: int
    endpoint: str
    length: int


@dataclass
class Intercept:
    """All that an eavesdropper has of one capture."""

    messages: list[Message] = field(default_factory=list)
    presence: list[tuple[int, str, str]] = field(default_factory=list)  # (time_ns, endpoint, join or leave)
    server: str | None = None  # "address:port"
    disguise: str | None = None  # "base64", "XOR with the key 0x...", None
    wire: str | None = None  # report or json, where it shows
    padding: int = 0  # the block, in bytes, that messages seem to be filled up to; 0: not padded
    tls_version: str | None = None
    cipher_suite: str | None = None
    name_lengths: dict[str, int] = field(default_factory=dict)  # under TLS: bytes of a name, by endpoint
    server_name: str | None = None  # asked for in the ClientHello
    certificate_names: tuple[str, ...] = ()
    carried_bytes: int = 0  # of the streams of both directions, each byte once
    read_bytes: int = 0  # of these, what could be read as conversation

    def others_present(self, message: Message) -> frozenset[str]:
        """Return the endpoints of the others who were there when a message was sent."""
        present: set[str] = set()
        for time_ns, endpoint, action in self.presence:
            if time_ns >= message.time_ns:
                break
            (present.add if action == "join" else present.discard)(endpoint)
        return frozenset(present - {message.endpoint})

    @property
    def names(self) -> list[str]:
        """The users' names, in order of arrival."""
        return [one.text for one in self.messages if one.kind == "name" and one.text is not None]

    @property
    def lines(self) -> list[tuple[str | None, str]]:
        """(who, text) of every line read, private ones too, in order of time."""
        return [(message.who, message.text) for message in self.said if message.text is not None]

    @property
    def line_lengths(self) -> list[int]:
        """The lengths of the lines' texts; of the messages, with all that is around the text, where padding hides those."""
        texts = [message.text_length for message in self.said if message.text_length is not None]
        return texts if len(texts) == len(self.said) else [message.length for message in self.said]

    @property
    def said(self) -> list[Message]:
        """The messages that are lines of the conversation, read or not."""
        return [message for message in self.messages if message.is_line]
