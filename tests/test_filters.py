"""Every Wireshark display filter in a notebook gives frames on the recording that it stands beside.

That is the recording named last before it in the notebook. Wireshark gets no "Decode As": it must find TLS by itself.
"""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from lab.dissect.oracle import run_tshark
from tests.support import ROOT, read_notebook, some_of

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
IN_CODE_FONT = re.compile(r"`([^`\n]+)`")
RECORDING = re.compile(r"captures/[\w/.-]+\.pcapng")
FILTER = re.compile(r"arp|(ip|tcp|tls)(\.[a-z]| contains ).*")


def filters(path: Path) -> dict[Path, list[str]]:
    """Return the filters of a notebook, in its order, by recording."""
    found, recording = defaultdict(list), None
    for cell in read_notebook(path).cells:
        if cell.cell_type != "markdown":
            continue
        for text in IN_CODE_FONT.findall(cell.source):
            if RECORDING.fullmatch(text):
                recording = ROOT / text
            elif FILTER.fullmatch(text):
                assert recording, f"no recording is named before {text}"
                found[recording].append(text)
    return found


def frames_shown(recording: Path, shown_by: list[str]) -> dict[str, int]:
    """Return how many frames each filter shows, from one run of tshark for all of them.

    Tshark prints a row of counts only where the recording lasts longer than no time at all: more than one frame.
    """
    statistics = ",".join(["io,stat,0", *shown_by])
    printed = run_tshark(["-r", str(recording), "-o", "tcp.check_checksum:TRUE", "-q", "-z", statistics])
    [row] = [line for line in printed.decode().splitlines() if "<>" in line]
    frames = [int(cell) for cell in row.strip("| ").split("|")[1::2]]
    return dict(zip(shown_by, frames, strict=True))


def test_filters_are_found():
    assert sum(len(one) for path in NOTEBOOKS for one in filters(path).values()) >= 35


@pytest.mark.tshark
@pytest.mark.parametrize("path", some_of(NOTEBOOKS, 5), ids=lambda path: path.name)
def test_every_filter_gives_frames(path):
    for recording, shown_by in filters(path).items():
        shown = frames_shown(recording, shown_by)
        assert all(shown.values()), (recording.name, shown)


@pytest.mark.tshark
def test_a_filter_without_frames_is_noticed():
    recording = ROOT / "captures" / "chat" / "json-tls13.pcapng"
    shown = frames_shown(recording, ["tls.record.content_type == 23", "tls.record.opaque_type == 23"])
    assert list(shown.values()) == [0, 100]  # TLS 1.3 does not show the real type
