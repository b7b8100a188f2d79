"""The one frame of the report's own trace that was printed whole: frame 1193, ``<Brandon> hello``, as PC 1 recorded it.

Its bytes are the report's. The report gives its time since the start of that recording, but not the date, so the file
says 1970 and a comment says why.
"""

from pathlib import Path

from lab.dissect.files.capture_file import CaptureWriter

FRAME_1193 = bytes.fromhex("""
    18 c0 4d df aa 43 c6 fe 50 ad ab dc 08 00 45 00
    00 37 cb 45 40 00 40 06 23 f5 0a 1b 1b 83 0a 1b
    1b ce 26 aa db a4 06 e5 1b fa 68 08 63 95 50 18
    01 f6 63 0c 00 00 3c 42 72 61 6e 64 6f 6e 3e 20
    68 65 6c 6c 6f
""")
TIME_NS = 11_502_790_000  # since the first frame of the report's recording
FILE_NAME = "report-frame-1193.pcapng"


def write(folder: Path | str) -> Path:
    """Write the frame as a capture into ``folder``."""
    path = Path(folder) / FILE_NAME
    comment = (
        "Frame 1193 of a student's report of May 2023, byte for byte; its date is not known, so it says 1970."
    )
    with CaptureWriter(path, comment=comment, application="packet-capture lab kit") as writer:
        writer.add_interface("PC 1", description="PC 1 of the report, 10.27.27.206")
        writer.write(FRAME_1193, TIME_NS, comment="frame 1193 of the report: <Brandon> hello")
    return path
