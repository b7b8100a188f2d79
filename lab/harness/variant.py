"""Name the variants of a recording: either wire, in plaintext, badly disguised, or over TLS."""

import argparse
from dataclasses import dataclass

from lab.chat.options import wire_name

TLS_VERSIONS = ("none", "1.2", "1.3")
WIRES = ("report", "json")
DISGUISES = ("base64", "xor")
REPORT_PORT = 9898
USUAL_PAD = 128  # bytes
SLOWEST_PACE_S = 60


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


def port_number(text: str) -> int:
    """Return the TCP port in an argument, 0 to 65535 (0: any free one)."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 0 to 65535")
    return int(text)


def pace_s(text: str) -> float:
    """Return the mean pause in an argument, 0 to ``SLOWEST_PACE_S`` seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= SLOWEST_PACE_S:
        raise argparse.ArgumentTypeError(f"{text!r} is not a pace: from 0 to {SLOWEST_PACE_S} seconds")
    return seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the harness that choose what is recorded; ``chosen_variants`` reads them."""
    add = parser.add_argument
    tls = "one recording for each: plaintext, TLS 1.2, TLS 1.3 (default: none, that is plaintext)"
    add("--tls", nargs="+", choices=TLS_VERSIONS, default=["none"], help=tls)
    wires = "and for each wire format"
    add("--wire", nargs="+", type=wire_name, choices=WIRES, default=["report"], help=wires)
    add("--pad", type=int, metavar="N", help="and once more over TLS with lines padded to N bytes")
    add("--disguise", nargs="+", choices=DISGUISES, default=[], help="and badly disguised")
    add("--seed", type=int, default=0, help="which conversation (default: %(default)s)")
    pace = "pause for S seconds on average before each step, as people do (default: no pauses)"
    add("--pace", type=pace_s, default=0.0, metavar="S", help=pace)
    add("--port", type=port_number, help=f"the server's port (default: {REPORT_PORT}, or a free one)")
    add("--keys", action="store_true", help="also write the TLS secrets, for opening the recording")


def chosen_variants(options: argparse.Namespace) -> list[Variant]:
    """Return what these options ask for, in their order. Raises ValueError for a contradiction."""
    variants = [Variant(tls, wire) for wire in options.wire for tls in options.tls]
    if options.pad is not None:
        padded = [tls for tls in options.tls if tls != "none"]
        if "json" not in options.wire or not padded or not 16 <= options.pad <= 4096:
            raise ValueError("--pad needs a block of 16 to 4096 bytes, --wire json and a --tls version")
        variants += [Variant(tls, "json", options.pad) for tls in padded]
    variants += [
        Variant("none", wire, disguise=disguise) for wire in options.wire for disguise in options.disguise
    ]
    return list(dict.fromkeys(variants))
