"""What can be recorded: the same conversation on either wire, bare, badly disguised, or over TLS."""

from dataclasses import dataclass

TLS_VERSIONS = ("none", "1.2", "1.3")
WIRES = ("report", "lines")
DISGUISES = ("base64", "xor")


@dataclass(frozen=True)
class Variant:
    """One way to carry a conversation. ``pad_to`` (bytes) fills lines up to blocks, on the lines wire alone."""

    tls: str = "none"
    wire: str = "report"
    pad_to: int = 0
    disguise: str | None = None

    def __post_init__(self):
        if self.pad_to and self.wire != "lines":
            raise ValueError("only the lines wire can be padded")
        if self.disguise and self.tls != "none":
            raise ValueError("a disguise goes with plaintext, to compare it with TLS")

    @property
    def name(self) -> str:
        """What its file is called: plain, tls13, lines-tls13-padded, xor ..."""
        base = self.disguise or ("plain" if self.tls == "none" else "tls" + self.tls.replace(".", ""))
        return ("lines-" if self.wire == "lines" else "") + base + ("-padded" if self.pad_to else "")

    @property
    def label(self) -> str:
        """What it is called in a chart."""
        if self.disguise:
            return {"base64": "base64", "xor": "XOR"}[self.disguise]
        base = "plaintext" if self.tls == "none" else f"TLS {self.tls}"
        return base + (f", padded to {self.pad_to}" if self.pad_to else "")
