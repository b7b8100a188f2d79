"""Calls to a student's process: values, every way to fail, and answers that the process makes up."""

import sys
import time

import pytest

from lab.exercises.checks import child, runner
from lab.exercises.checks.child import INVALID, MOST_KEPT, StudentCode
from lab.exercises.checks.failures import Died, NotAttempted, Raised, TimeUp
from lab.exercises.checks.story import difference

CALL_F = runner.dump({"call": "f", "arguments": []})
FORGE = """
import os, sys, time
def forge(data):
    for n in range(3, 10):
        try: os.write(n, data)
        except OSError: pass
"""


@pytest.fixture
def code(tmp_path):
    def load(text, **limits):
        (tmp_path / "sheet.py").write_text(FORGE + text)
        made.append(StudentCode(tmp_path / "sheet.py", **limits))
        return made[-1]

    made = []
    yield load
    for one in made:
        one.close()


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(2**70),
        1.5,
        "☕",
        b"\x00\xff",
        [],
        [1, [2]],
        (1, "a"),
        {1, 2},
        {"a": (b"x",), 2: None},
    ],
)
def test_plain_values_go_there_and_back(code, value):
    got = code("def same(value):\n    return value\n").call("same", value)
    assert got == value and type(got) is type(value)


def test_ends_of_every_kind_and_the_next_call_works(code):
    text = (
        "import os\ndef ok(): return 1\ndef stub(): raise NotImplementedError\ndef die(): os._exit(3)\n"
        "def leave(): raise SystemExit\ndef loop():\n    while True: pass\ndef odd(): return object()\n"
        "def talk():\n    print('x'); return input()\ndef flood():\n    while True: print('x' * 100000)\n"
    )
    one = code(text, time_s=1)
    for function, expected in (
        ("stub", NotAttempted), ("die", Died), ("leave", Raised), ("loop", TimeUp), ("odd", Raised), ("talk", Raised),
        ("flood", Died), ("nothing", Raised),
    ):  # fmt: skip
        with pytest.raises(expected):
            one.call(function)
        assert one.call("ok") == 1
    one.allow(0.3)
    for _ in range(2):  # the second begins when the time is used up
        with pytest.raises(TimeUp, match="^the calls of this task together took longer than 0.3 s: "):
            one.call("loop")


@pytest.mark.parametrize(
    "answer",
    [
        '{"id": 1, "answers": [{"result": {"m": {"d": [["name", "x"], ["pending", 100000000000]]}}}]}',  # bytearray(10**11)
        '{"id": 1, "answers": [{"result": {"s": ['
        + ", ".join(str(n * (2**61 - 1)) for n in range(50_000))
        + "]}}]}",  # one hash
        '{"id": 1, "answers": [{"result": ' + "9" * 5_000 + "}]}",
        '{"id": 1, "answers": [{"result": ' + "[" * 100_000,
        '{"id": 1, "answers": ' + "[" * 100_000 + "}",
        '{"id": 1, "answers": []}',
        '{"id": 1, "answers": [{"result": 7}, {"result": 7}]}',
        '{"id": 1, "answers": {"result": 7}}',
        '{"id": 1, "answers": [{"result": {"b": 7}}]}',
        '{"id": 7, "answers": [{"result": 7}]}',
        "[]",
        "",
    ],
    ids=[
        "member",
        "collisions",
        "long number",
        "open",
        "deep",
        "no answer",
        "two",
        "no list",
        "no bytes",
        "other id",
        "list",
        "empty",
    ],
)
def test_a_forged_answer_is_invalid(code, answer, tmp_path):
    (tmp_path / "answer").write_text(answer + "\n")
    one = code(f"def f():\n    forge(open({str(tmp_path / 'answer')!r}, 'rb').read())\n    time.sleep(100)\n")
    began = time.monotonic()
    with pytest.raises(Died, match=INVALID):
        one.call("f")
    assert time.monotonic() - began < 5


def test_results_of_a_session_that_are_none(code):
    one = code(
        'def f(): forge(b\'{"id": 1, "answers": [{"result": [{"error": "x"}]}]}\\n\')\nf()\nclass C: pass\n'
    )
    with pytest.raises(Died, match=INVALID):
        one.session("C", [], [("m", [])])


def test_a_member_is_no_result(code):
    with pytest.raises(Raised, match="a Member"):
        code("def f():\n    return sys.modules['__main__'].Member('x')\n").call("f")


def test_answers_that_nobody_asked_for_end_it(code):
    one = code(
        'def f():\n    while True: forge(b\'{"id": 1, "answers": [{"error": {}}]}\\n\' * 1000)\n', time_s=20
    )
    began = time.monotonic()
    with pytest.raises(Exception, match="None"):
        one.call("f")
    one.process.wait(10)  # it was killed: what it sent is not kept
    assert time.monotonic() - began < 15 and one.lines.qsize() <= MOST_KEPT


def outcomes(one: StudentCode, numbers) -> list:
    """What each call returned, or why it did not."""
    found = []
    for number in numbers:
        try:
            found.append(one.call("f", number))
        except (Died, Raised, TimeUp) as failure:
            found.append(str(failure))
    return found


@pytest.mark.parametrize(
    "body",
    [
        "return n + 1",
        "return 1 // (n - 20)",
        "os._exit(1) if n == 20 else 0\n    return n",
        "return calls.append(n) or calls[:]",
    ],
    ids=["results", "an exception", "a death", "a memory"],
)
def test_calls_made_again_end_as_others_do(code, body):
    text = f"calls = []\ndef f(n):\n    {body}\n"
    first, second = code(text), code(text)
    expected = outcomes(first, range(40))
    answers = second.make_again(first.made)
    assert (answers is None) == ("os._exit" in body)
    if answers:
        second.replay(first.made, answers)
    assert outcomes(second, range(40)) == expected


def test_other_calls_than_were_made_again_are_made_all_the_same(code):
    one = code("calls = []\ndef f(n):\n    calls.append(n)\n    return calls[:]\n")
    assert one.call("f", 1) == [1] and one.call("f", 2) == [1, 2]
    requests = one.made[:]
    one.replay(requests, one.make_again(requests))
    assert one.call("f", 1) == [1, 2, 1]
    assert one.call("f", 3) == [3], "in a new process, which has not been asked for the second"
    assert one.call("f", 2) == [3, 2]


def test_no_call_is_made_after_the_time_of_a_task(code):
    """However soon its answer comes: reading one can take seconds, which the deadline of a call does not count."""
    one = code("def f(): return 1\n")
    one.allow(0.5)
    assert one.call("f") == 1
    time.sleep(0.6)
    with pytest.raises(TimeUp):
        one.call("f")
    one.allow(5)
    assert one.call("f") == 1


def test_equal_sets_are_equal_answers(code):
    text = "def f():\n    return {str(n) for n in range(50)}\n"
    assert code(text).make_again([CALL_F]) == code(text).make_again([CALL_F])


@pytest.mark.parametrize("answers", [b"", b"{}", b"[1]", b"[" * 100_000, b'[{"result": {"b": 7}}]'])
def test_forged_answers_to_all_calls_are_invalid(code, answers):
    one = code("def f(): return 1\n")
    with pytest.raises(Died, match=INVALID):
        one.replay([CALL_F], answers)
        one.call("f")


def test_a_file_that_does_not_load_is_loaded_once(code, tmp_path, monkeypatch):
    monkeypatch.setattr(child, "START_S", 6)
    one = code(f"open({str(tmp_path / 'loaded')!r}, 'a').write('x')\ntime.sleep(100)\n", time_s=1)
    for _ in range(3):
        with pytest.raises(TimeUp, match="loading the file"):
            one.call("f")
    assert (tmp_path / "loaded").read_text() == "x"


def test_a_request_that_nobody_reads_has_a_deadline(code):
    one = code("forge(b'{\"ready\": true}\\n')\ntime.sleep(100)\n", time_s=1)
    with pytest.raises(TimeUp):
        one.call("f", b"x" * (1 << 22))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is watched in /proc")
def test_what_all_processes_take_together_is_bounded(code):
    text = (
        "def f():\n    for _ in range(4):\n        if os.fork() == 0:\n            os.setsid()\n"
        "            data = bytearray(b'x' * (80 << 20))\n            time.sleep(100)\n    time.sleep(100)\n"
    )
    one = code(text, time_s=20, memory_bytes=200 << 20)
    with pytest.raises(Died, match="took more memory"):
        one.call("f")


def test_a_long_list_for_a_set_takes_no_time():
    began = time.monotonic()
    assert difference({1, 2}, [n * (2**61 - 1) for n in range(200_000)])
    assert time.monotonic() - began < 2
