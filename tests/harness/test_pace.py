"""The pace of people: pauses that follow from the seed, kept by the player, bounded."""

from dataclasses import replace

import pytest

from lab import capture
from lab.harness.manifest import MANIFEST, read_manifest
from lab.harness.script import LONGEST_PAUSE, make_script


def test_the_pauses_follow_from_the_seed():
    script = replace(make_script(3), pace_s=2)
    assert script.pauses_s == replace(make_script(3), pace_s=2).pauses_s
    assert script.pauses_s != replace(script, seed=4).pauses_s
    assert len(set(script.pauses_s)) > 20 and 0 < max(script.pauses_s) <= 2 * LONGEST_PAUSE
    assert 1 < sum(script.pauses_s) / len(script.pauses_s) < 3
    assert not any(make_script(3).pauses_s)


@pytest.mark.records
def test_the_player_keeps_the_pace(tmp_path):
    words = ["--out", str(tmp_path), "--wire", "json", "--seed", "3", "--pace", "0.02", "--quiet"]
    assert capture.main(words) == 0
    manifest = read_manifest(tmp_path / MANIFEST)
    [recording] = manifest["recordings"]
    times_ns = [event["time_ns"] for event in recording["events"]]
    pauses_s = replace(make_script(3), pace_s=0.02).pauses_s
    gaps_s = [(after - before) / 1e9 for before, after in zip(times_ns, times_ns[1:], strict=False)]
    assert manifest["pace_s"] == 0.02 and len(pauses_s) == len(times_ns)
    assert all(gap_s >= pause_s for gap_s, pause_s in zip(gaps_s, pauses_s[1:], strict=True))


@pytest.mark.parametrize("pace", ["-1", "61", "nan", "inf", "slow"])
def test_what_is_not_a_pace_is_refused(pace, capsys):
    with pytest.raises(SystemExit):
        capture.main(["--pace", pace])
    assert "is not a pace: from 0 to 60 seconds" in capsys.readouterr().err


def test_a_pace_that_takes_too_long_is_refused_before_anything_is_recorded(tmp_path, capsys):
    assert capture.main(["--out", str(tmp_path / "slow"), "--pace", "60"]) == 2
    assert "take a smaller --pace" in capsys.readouterr().err and not (tmp_path / "slow").exists()
