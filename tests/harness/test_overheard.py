"""Simulated typists and bots, and conversations recorded many at once."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from statistics import median

import pytest

from lab import dissect
from lab.chat.features.cures import CURES, PAD_BYTES
from lab.commands import traces as commands_traces
from lab.exposure.traces import read_traces, trace_of
from lab.harness import paces
from lab.harness.manifest import read_manifest, sha256_of
from lab.harness.overheard import AT_ONCE, AUTHORS, Conversation, plan, record_batch
from tests.support import CAPTURES, ROOT, needs_namespaces

SHIPPED = CAPTURES / "traces"


class TestAuthors:
    def test_the_number_of_keys_reveals_no_sentence(self):
        assert {len(sentence) for sentence in paces.SENTENCES} == {32}
        assert all(re.fullmatch("[a-z ]+", sentence) for sentence in paces.SENTENCES)
        assert len(set(paces.SENTENCES)) == 16 and len(paces.TOPICS) == 12

    @pytest.mark.parametrize(
        "pair, kind",
        [
            ("ee", "repeated"),
            ("er", "left"),
            ("no", "right"),
            ("th", "alternating"),
            ("e ", "alternating"),
            (" e", "word start"),
        ],
    )
    def test_the_hands_of_a_pair(self, pair, kind):
        assert paces.kind_of_pair(*pair) == kind

    def test_intervals_are_their_own_typists_and_seeds(self):
        steady, other, *_, last = paces.TYPISTS
        sentence = paces.SENTENCES[0]
        assert paces.key_intervals_s(steady, sentence, 1) == paces.key_intervals_s(steady, sentence, 1)
        assert paces.key_intervals_s(steady, sentence, 1) != paces.key_intervals_s(steady, sentence, 2)
        assert paces.key_intervals_s(steady, sentence, 1) != paces.key_intervals_s(other, sentence, 1)
        assert steady.jitter < last.jitter

    def test_the_mean_of_many_intervals_is_the_tables(self):
        [typist] = [one for one in paces.TYPISTS if (one.mean, one.jitter) == (0.6, 0.1)]
        drawn = [typist.interval_s(200, paces.random.Random(seed)) for seed in range(2000)]
        assert sum(drawn) / 2000 == pytest.approx(0.2, rel=0.02)

    def test_an_answer_is_its_tokens_and_holds_words_of_its_topic_alone(self):
        for topic in paces.TOPICS:
            tokens = paces.answer_tokens(topic, 3)
            words = set(re.findall(r"\w+", "".join(tokens)))
            own = {word for kind in paces.TEXTS["topics"][topic].values() for word in " ".join(kind).split()}
            known = set(re.findall(r"\w+", " ".join(paces.TEXTS["patterns"])))
            assert words <= own | known and words & own
            assert max(map(len, tokens)) <= 7 and "" not in tokens
            assert len(paces.token_intervals_s(paces.BOTS[0], tokens, 3)) == len(tokens)


class TestPlan:
    def test_what_is_promised_is_in_it(self):
        planned = plan(0)
        counts = Counter(one.cure for one in planned)
        assert list(counts) and set(counts) == set(CURES)
        assert counts["none"] >= 300 and min(counts.values()) >= 60
        assert len({one.seed for one in planned}) == len(planned)
        for kind in ("typing", "topic"):
            for cure in CURES:
                chosen = [one for one in planned if (one.kind, one.cure) == (kind, cure)]
                several = Counter((one.label, one.author) for one in chosen)
                assert len({label for label, _ in several}) in (16, 12) and len(set(several.values())) == 1

    def test_the_seed_makes_it(self):
        assert plan(1) == plan(1) != plan(2)
        assert {one.label for one in plan(0, 2)} == {*paces.SENTENCES[:2], *paces.TOPICS[:2]}


def talk(kind: str, label: str, cure: str, seed: int) -> Conversation:
    author = paces.TYPISTS[0] if kind == "typing" else paces.BOTS[0]
    return Conversation(kind, label, author.name, seed, cure)


@pytest.mark.records
def test_conversations_at_once_are_recorded_apart(tmp_path):
    cures = ("none", *PAD_BYTES)
    batch = [talk("typing", text, cure, seed) for seed, text in enumerate(("or", "sad")) for cure in cures]
    observed = record_batch(tmp_path / "batch.pcapng", batch, stay_s=0.1)
    flows = {
        (flow.initiator.port, flow.responder.port): flow
        for flow in dissect.find_flows(dissect.read_segments(tmp_path / "batch.pcapng"))
    }
    assert len(flows) == 2 * len(batch)
    for one, seen in zip(batch, observed, strict=True):
        trace = trace_of(flows[tuple(seen["ports"])], **vars(one))
        assert (trace.label, trace.cure, trace.times[0]) == (one.label, one.cure, 0)
        sent = [size - 17 for _, size, way in trace.records if way == -1]
        if block := PAD_BYTES.get(one.cure):
            assert set(sent) == {block}
        else:  # the name, keys, the text, and the farewell
            assert sent[1:-2] == [len(b'{"event":"typing"}\n')] * len(one.label)
            assert sent[-2] == len(b'{"event":"say","text":""}\n') + len(one.label)


@needs_namespaces
@pytest.mark.maintainers
def test_who_may_not_record_does_so_in_a_namespace(tmp_path, monkeypatch):
    monkeypatch.setattr("lab.harness.tap.may_record", lambda: "this user may not record on lo: refused")
    assert commands_traces.main(["--labels", "1", "--out", str(tmp_path)]) == 0
    assert len(read_traces(tmp_path / "traces.jsonl.gz")) == 107


@needs_namespaces
def test_a_folder_that_this_user_may_not_write_is_refused(tmp_path):
    """In a namespace the user would be root, who may."""
    (tmp_path / "out").mkdir(0o500)
    command = [sys.executable, "lab", "traces", "--labels", "1", "--out", str(tmp_path / "out")]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-all,+setfcap", *command]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "another --out" in done.stderr, (
        done.stderr
    )


@pytest.mark.parametrize("taken, words", [(["--labels", "0"], "1 or more"), (["--seed", "x"], "invalid int")])
def test_wrong_options_are_refused(taken, words, capsys):
    with pytest.raises(SystemExit):
        commands_traces.main(taken)
    assert words in capsys.readouterr().err


@needs_namespaces
@pytest.mark.maintainers
def test_a_run_that_was_killed_goes_on_where_it_stopped(tmp_path):
    command = [sys.executable, "-m", "lab", "traces", "--labels", "2", "--out", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as first:
        while f"] {AT_ONCE} of" not in first.stdout.readline():
            assert first.poll() is None
        first.send_signal(signal.SIGKILL)
    kept = tmp_path / "batches" / "0.jsonl.gz"
    before = kept.read_bytes()
    assert not (tmp_path / "traces.jsonl.gz").exists()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as second:
        assert "] 0 of" in second.stdout.readline() and f"] {AT_ONCE} of" in second.stdout.readline()
        assert kept.read_bytes() == before  # taken, not recorded again
        *_, last = second.stdout
    assert second.returncode == 0 and "214 conversations" in last
    found = read_traces(tmp_path / "traces.jsonl.gz")
    assert {trace.cure for trace in found} == set(CURES) and all(trace.times for trace in found)
    [entry] = read_manifest(tmp_path / "manifest.json")["recordings"]
    assert entry["sha256"] == sha256_of(tmp_path / "traces.jsonl.gz")
    assert sum(one["conversations"] for one in entry["recorded"].values()) == len(found)
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert again.returncode == 0 and "--afresh records it again" in again.stdout


@pytest.fixture(scope="module")
def shipped():
    return read_traces(SHIPPED / "traces.jsonl.gz")


class TestShipped:
    """The traces that ship: whole, and what the simulated authors did is what the kernel saw."""

    def test_they_are_those_of_the_manifest_and_the_plan(self, shipped):
        manifest = read_manifest(SHIPPED / "manifest.json")
        [entry] = manifest["recordings"]
        path = SHIPPED / entry["file"]
        assert entry["sha256"] == sha256_of(path) and path.stat().st_size <= 2_000_000
        truth = [(one.kind, one.label, one.author, one.seed, one.cure) for one in shipped]
        assert truth == [tuple(vars(one).values()) for one in plan(manifest["seed"])]

    def test_keys_were_recorded_when_they_were_pressed(self, shipped):
        errors_s = []
        for trace in shipped:
            if (trace.kind, trace.cure) == ("typing", "none"):
                keys = [time_s for time_s, size, way in trace.records if (way, size) == (-1, 19 + 17)]
                wanted = paces.key_intervals_s(AUTHORS[trace.author], trace.label, trace.seed)
                assert len(keys) == 32
                errors_s += [abs(b - a - want) for (a, b), want in zip(pairwise(keys), wanted, strict=True)]
        assert median(errors_s) < 0.01  # a twentieth of an interval

    def test_cures_hide_every_length_but_batching_does_not(self, shipped):
        for trace in shipped:
            way = -1 if trace.kind == "typing" else 1
            own = [size for _, size, direction in trace.records if direction == way]
            if block := PAD_BYTES.get(trace.cure):  # two lines at the same moment share a record
                assert {(size - 17) % block for size in own} == {0}
            else:
                assert len(set(own)) > 2
