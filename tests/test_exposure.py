"""What the eavesdropper claims, and that the score cannot be fooled."""

import pytest

from lab.charts import describe_exposure, draw_exposure, to_png
from lab.dissect.capture_file import CaptureError, CaptureWriter
from lab.exposure import Heard, Overheard, eavesdrop, score
from lab.room.script import make_script


def entry(manifest, file):
    [found] = [recording for recording in manifest["recordings"] if recording["file"] == file]
    return found


def test_plaintext_gives_everything_away(recorded):
    folder, manifest = recorded
    overheard = eavesdrop(folder / "plain.pcapng")
    assert tuple(overheard.lines) == make_script(7).lines
    assert overheard.tls_version is None
    for item in score(overheard, entry(manifest, "plain.pcapng")):
        assert (item.right, item.wrong) == (item.total, 0) and item.total > 0


@pytest.mark.parametrize(("file", "version"), [("tls12.pcapng", "TLS 1.2"), ("tls13.pcapng", "TLS 1.3")])
def test_tls_gives_no_text_away(recorded, file, version):
    folder, manifest = recorded
    overheard = eavesdrop(folder / file)
    assert overheard.tls_version == version
    assert len(overheard.heard) >= 25 and all(item.kind == "ciphertext" for item in overheard.heard)
    assert [item.share for item in score(overheard, entry(manifest, file))] == [0, 0, 0]


def test_a_cipher_that_leaks_one_message_in_some_scores_in_between(recorded):
    _, manifest = recorded
    recording = entry(manifest, "tls13.pcapng")
    leaked = [(event["who"], event["text"]) for event in recording["events"] if event["action"] == "say"][::5]
    overheard = Overheard([Heard(1, 0, who, "line", text, b"") for who, text in leaked])
    lines = score(overheard, recording)[1]
    assert (lines.right, lines.wrong, lines.total) == (3, 0, 13)


def test_made_up_lines_count_against_the_eavesdropper(recorded):
    _, manifest = recorded
    recording = entry(manifest, "plain.pcapng")
    who, text = make_script(7).lines[0]
    claims = [(who, text), (who, text), (who, "never said"), ("Nobody", text)]
    names = [Heard(1, 0, name, "name", name, b"") for name in ("Brandon", "Mallory")]
    overheard = Overheard(names + [Heard(1, 0, speaker, "line", said, b"") for speaker, said in claims])
    scores = {item.kind: item for item in score(overheard, recording)}
    assert (scores["lines"].right, scores["lines"].wrong) == (1, 3)  # said once, so the second claim is false
    assert (scores["names"].right, scores["names"].wrong) == (1, 1)
    assert scores["bytes"].right == len(text.encode())


def test_a_bad_file_is_a_capture_error(tmp_path):
    (tmp_path / "bad.pcapng").write_bytes(b"this is no capture")
    with pytest.raises(CaptureError):
        eavesdrop(tmp_path / "bad.pcapng")


def test_a_capture_without_frames_gives_nothing(tmp_path):
    with CaptureWriter(tmp_path / "empty.pcapng") as writer:
        writer.add_interface("lo")
    assert eavesdrop(tmp_path / "empty.pcapng").heard == []


def test_the_chart_shows_the_numbers_it_is_given(recorded):
    folder, manifest = recorded
    scores = {
        "plaintext": score(eavesdrop(folder / "plain.pcapng"), entry(manifest, "plain.pcapng")),
        "TLS 1.3": score(eavesdrop(folder / "tls13.pcapng"), entry(manifest, "tls13.pcapng")),
    }
    ax = draw_exposure(scores)
    assert [bar.get_width() for bar in ax.patches] == [100] * 3 + [0] * 3
    written = [text.get_text() for text in ax.texts]
    assert "plaintext: 100 %  (13 of 13)" in written and "TLS 1.3: 0 %  (0 of 3)" in written
    hatches = {bar.get_hatch() for bar in ax.patches}
    assert len(hatches) == 2  # told apart without colour
    assert to_png(ax).startswith(b"\x89PNG")
    twin = describe_exposure(scores)
    assert "plaintext: the eavesdropper recovers 3 of 3 names (100 %)" in twin
    assert "TLS 1.3: the eavesdropper recovers 0 of 3 names (0 %)" in twin


def test_nothing_drawn_is_cut_off_or_overlaps(recorded):
    folder, manifest = recorded
    scores = {
        file: score(eavesdrop(folder / file), entry(manifest, file))
        for file in ("plain.pcapng", "tls12.pcapng", "tls13.pcapng")
    }
    ax = draw_exposure(scores)
    to_png(ax)
    boxes = [text.get_window_extent() for text in ax.texts]
    page = ax.figure.bbox
    for number, box in enumerate(boxes):
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])
