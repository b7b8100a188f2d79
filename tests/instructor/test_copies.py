"""Copies of a recording are found whatever was done to the file, and honest recordings are left in peace."""

import pytest

from lab.harness.student_capture import PLAIN
from lab.instructor import copies
from lab.instructor.recordings import read_flows
from tests.bench import captures_of_a_class as bench


@pytest.fixture(scope="module")
def some_recordings(a_class):
    return a_class / "class"


@pytest.mark.parametrize(("change", "write"), bench.DOCTORS, ids=lambda one: one.__name__)
def test_every_doctored_copy_is_found_and_nobody_else(some_recordings, tmp_path, change, write):
    honest = {f"s{n}": copies.traces(read_flows(some_recordings / f"s{n}" / PLAIN)) for n in range(4)}
    write(tmp_path / "other-name.cap", change(bench.load(some_recordings / "s2" / PLAIN)))
    pairs = copies.find_pairs(honest | {"zz": copies.traces(read_flows(tmp_path / "other-name.cap"))})
    assert [(pair.first, pair.second) for pair in pairs] == [("s2", "zz")]
    assert "in common" in pairs[0].evidence


def test_a_class_of_few(some_recordings):
    assert bench.check(some_recordings, "k", many=3) == []


def test_what_everybody_hands_in_makes_no_pairs():
    everybody = {
        f"s{n}": [f"isn:{k}" for k in range(5)] + [f"isn:{n}.{k}" for k in range(5)] for n in range(20)
    }
    assert copies.find_pairs(everybody) == []
    assert copies.handed_in_by_many(everybody) == sorted(everybody)
    assert copies.handed_in_by_many({f"s{n}": [f"isn:{n}"] for n in range(20)}) == []


def test_chance_makes_no_pair():
    assert (
        copies.find_pairs(
            {
                "a": ["isn:1", *(f"time:{n}" for n in range(5))],
                "b": ["isn:1", *(f"time:{n}" for n in range(5))],
            }
        )
        == []
    )


def test_a_pair_reads_the_same_in_every_process():
    held = [f"{kind}:{n}" for n in range(9) for kind in ("random", "isn")]
    [pair] = copies.find_pairs({"a": held, "b": held})
    assert list(pair.shared) == ["isn", "random"]
