"""The report's own session and the one frame that it prints whole.

The scenario plays the session behind the report's trace on the report's network (its addresses, its two known MACs,
PC 1's source port), and records it at PC 1, as the report did. What the protocols determine comes out as in the report,
frame by frame; what another machine has to choose differently is listed in the manifest, with the reason.

Frame 1193, ``<Brandon> hello``, is copied from the report's hex dump, which has no date: the file says 1970.
"""

from pathlib import Path

from lab.dissect.files.capture_file import CaptureWriter
from lab.harness.scenarios import Truth, scenario
from lab.harness.script import REPORT_SCRIPT
from lab.harness.session import record_on_lan
from lab.net.lan import Lan
from lab.net.plan import REPORT_LAN

HOST_OF = {"Brandon": "PC1", "John": "PC2", "Alice": "laptop"}
SOURCE_PORTS = {"Brandon": 56228}

CANNOT_MATCH = {
    "frame numbers and times": "the report's capture has other traffic in it, and people who type",
    "initial sequence numbers": "each host computes them from a clock and a secret (RFC 9293 section 3.4.1)",
    "IP identification": "each host chooses it by itself (RFC 6864)",
    "windows after the SYN": "each kernel sizes its buffers by itself, and the report's PC 1 ran Windows",
    "order of the options in PC 1's SYN, its TTL": "the report's PC 1 ran Windows, here it is Linux",
    "both checksums": "they cover the values above",
    "the text of frame 1259": "the report does not show it; any four bytes will do",
}


@scenario(notebook="02, 03")
def report(path: Path) -> Truth:
    """The session behind the report's trace, at PC 1."""
    with Lan(REPORT_LAN) as lan:
        entry = record_on_lan(lan, REPORT_SCRIPT, path, ["PC1"], host_of=HOST_OF, source_ports=SOURCE_PORTS)
    return entry | {"cannot_match": [{"value": value, "why": why} for value, why in CANNOT_MATCH.items()]}


# Frame 1193

FRAME_1193 = bytes.fromhex("""
    18 c0 4d df aa 43 c6 fe 50 ad ab dc 08 00 45 00
    00 37 cb 45 40 00 40 06 23 f5 0a 1b 1b 83 0a 1b
    1b ce 26 aa db a4 06 e5 1b fa 68 08 63 95 50 18
    01 f6 63 0c 00 00 3c 42 72 61 6e 64 6f 6e 3e 20
    68 65 6c 6c 6f
""")
TIME_NS = 11_502_790_000  # since the first frame of the report's recording
FILE_NAME = "report-frame-1193.pcapng"


def write_frame_1193(folder: Path | str) -> Path:
    """Write the frame as a capture into ``folder``."""
    path = Path(folder) / FILE_NAME
    comment = "Frame 1193 of a student's report of May 2023, byte for byte"
    comment += "; its date is not known, so it says 1970."
    with CaptureWriter(path, comment=comment, application="packet-capture lab kit") as writer:
        writer.add_interface("PC 1", description="PC 1 of the report, 10.27.27.206")
        writer.write(FRAME_1193, TIME_NS, comment="frame 1193 of the report: <Brandon> hello")
    return path
