"""Name the variants of a recording: either wire, in plaintext, badly disguised, or over TLS."""

from dataclasses import dataclass

TLS_VERSIONS = ("none", "1.2", "1.3")
WIRES = ("report", "json")
DISGUISES = ("base64", "xor")
REPORT_PORT = 9898
USUAL_PAD = 128  # bytes


@dataclass(frozen=True)
class Variant:
    """One way to carry a conversation. ``pad_to`` (bytes) fills lines up to blocks, on the json wire alone."""

    tls: str = "none"
    wire: str = "report"
    pad_to: int = 0
    disguise: str | None = None

    def __post_init__(self) -> None:
        if self.pad_to and self.wire != "json":
            raise ValueError("only the json wire can be padded")
        if self.disguise and self.tls != "none":
            raise ValueError("a disguise goes with plaintext, to compare it with TLS")

    @property
    def name(self) -> str:
        """The name of its file: plain, tls13, json-tls13-padded, xor ..."""
        base = self.disguise or ("plain" if self.tls == "none" else "tls" + self.tls.replace(".", ""))
        return ("json-" if self.wire == "json" else "") + base + self._padded

    @property
    def _padded(self) -> str:
        if not self.pad_to:
            return ""
        return "-padded" if self.pad_to == USUAL_PAD else f"-padded{self.pad_to}"

    @property
    def label(self) -> str:
        """Its name in a chart."""
        if self.disguise:
            return {"base64": "base64", "xor": "XOR"}[self.disguise]
        base = "plaintext" if self.tls == "none" else f"TLS {self.tls}"
        return base + (f", padded to {self.pad_to}" if self.pad_to else "")


def as_variant(one: "Variant | str") -> Variant:
    """Return a Variant, also from "none", "1.2" or "1.3" for the report wire in plaintext or over that version of TLS."""
    return one if isinstance(one, Variant) else Variant(tls=one)
