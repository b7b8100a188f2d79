"""Name the variants of a recording: either wire, in plaintext, badly disguised, or over TLS."""

from dataclasses import dataclass

TLS_VERSIONS = ("none", "1.2", "1.3")
WIRES = ("report", "json")
DISGUISES = ("base64", "xor")
REPORT_PORT = 9898
USUAL_PAD = 128  # bytes
RETRY_GROUP = "secp384r1"  # the one that a server asks for which retries


@dataclass(frozen=True)
class Variant:
    """One way to carry a conversation. ``pad_to`` (bytes) fills lines up to blocks, on the json wire alone.

    The last three need TLS 1.3 and pyOpenSSL (``lab.harness.openssl_peer``): the groups that a client offers, as OpenSSL
    names them ("X25519MLKEM768:X25519"); a server that asks for another one; blocks of bytes that records are filled up to.
    """

    tls: str = "none"
    wire: str = "report"
    pad_to: int = 0
    disguise: str | None = None
    groups: str = ""
    retry: bool = False
    pad_records: int = 0

    def __post_init__(self) -> None:
        if self.pad_to and self.wire != "json":
            raise ValueError("only the json wire can be padded")
        if self.disguise and self.tls != "none":
            raise ValueError("a disguise goes with plaintext, to compare it with TLS")
        if self.needs_pyopenssl and self.tls != "1.3":
            raise ValueError("groups, retry and padded records need TLS 1.3")
        if self.retry and not self.groups:
            raise ValueError("a retry needs the groups that the client offers")

    @property
    def needs_pyopenssl(self) -> bool:
        return bool(self.groups or self.retry or self.pad_records)

    @property
    def name(self) -> str:
        """The name of its file: plain, tls13, json-tls13-padded, tls13-x25519mlkem768-retry, xor ..."""
        base = self.disguise or ("plain" if self.tls == "none" else "tls" + self.tls.replace(".", ""))
        base += f"-{self.groups.lower().replace(':', '-')}" if self.groups else ""
        base += "-retry" if self.retry else ""
        base += f"-records{self.pad_records}" if self.pad_records else ""
        padded = {0: "", USUAL_PAD: "-padded"}.get(self.pad_to, f"-padded{self.pad_to}")
        return ("json-" if self.wire == "json" else "") + base + padded

    @property
    def label(self) -> str:
        """Its name in a chart."""
        if self.disguise:
            return {"base64": "base64", "xor": "XOR"}[self.disguise]
        base = "plaintext" if self.tls == "none" else f"TLS {self.tls}"
        base += f", {self.groups}" if self.groups else ""
        base += ", retried" if self.retry else ""
        base += f", records padded to {self.pad_records}" if self.pad_records else ""
        return base + (f", padded to {self.pad_to}" if self.pad_to else "")
