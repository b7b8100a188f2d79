"""A file of traces: written and read again, and refused with one line where it is not valid."""

import gzip
import json
from dataclasses import asdict, replace

import pytest

from lab.exposure import traces
from lab.exposure.traces import Trace, TracesError, read_traces, write_traces

TYPED = Trace("typing", "grüße", "typist 3", 7, "none", [0.0, 0.25, 0.25], [44, 44, 90], [-1, -1, 1])
ANSWERED = Trace("topic", "bees", "bot 1", 8, "padding", [], [], [])


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "traces.jsonl.gz"
    write_traces(path, [TYPED, ANSWERED])
    assert read_traces(path) == [TYPED, ANSWERED]
    assert len(gzip.decompress(path.read_bytes()).splitlines()) == 2


def test_the_same_traces_make_the_same_bytes(tmp_path):
    for name in ("first.gz", "second.gz"):
        write_traces(tmp_path / name, [TYPED])
    assert (tmp_path / "first.gz").read_bytes() == (tmp_path / "second.gz").read_bytes()


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"kind": "song"}, "kind must be"),
        ({"cure": "prayer"}, "cure must be"),
        ({"author": 3}, "must be texts"),
        ({"seed": True}, "whole number"),
        ({"sizes": [44]}, "one length"),
        ({"times": [0.0, 2.0, 1.0]}, "never decrease"),
        ({"times": [0.0, float("nan"), 1.0]}, "never decrease"),
        ({"times": "abc", "sizes": "abc", "directions": "abc"}, "lists"),
        ({"sizes": [44, 44.5, 90]}, "bytes"),
        ({"directions": [1, 0, -1]}, "1 or -1"),
        ({"more": 1}, "JSON object with kind, label"),
    ],
)
def test_a_bad_line_is_named(tmp_path, changes, reason):
    path = tmp_path / "bad.gz"
    lines = [asdict(TYPED), asdict(TYPED) | changes]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    with pytest.raises(TracesError, match=f"bad.gz, line 2: .*{reason}") as refused:
        read_traces(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: b"plain", lambda data: data[:20] + b"\0" * 9]
)
def test_a_damaged_file_is_refused(tmp_path, damage):
    path = tmp_path / "damaged.gz"
    write_traces(path, [TYPED])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(TracesError, match="damaged.gz is not a file of traces"):
        read_traces(path)


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(traces, "MAX_BYTES", 1 << 10)
    write_traces(tmp_path / "large.gz", [replace(TYPED, label="x" * 2000)])
    with pytest.raises(TracesError, match="split it"):
        read_traces(tmp_path / "large.gz")
