"""Submissions as a class hands them in, hostile ones among them, graded: ``python -m tests.bench.submissions_of_a_class``.

Makes COUNT submissions out of solutions, other styles, stubs, misconceptions and hostile code, as zips and folders, grades
them with the real command, and holds every mark against what it must be. Exit code 1 where one is not.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab.exercises.checks.tasks import ROOT, STUBS, module_name
from lab.instructor.misconceptions import MISCONCEPTIONS, planted
from lab.instructor.stubs import SOLUTIONS
from tests.bench import end_on_sigterm
from tests.bench.misconceptions import STYLES, all_tasks

# What hostile code does instead of a task's work: (name, task it stands in, code of the body, word of the reason).
HOSTILE = [
    ("crashes", "02_handshake.parse_ethernet", "import ctypes\nctypes.string_at(0)", "ended"),
    ("loops for ever", "02_handshake.parse_ethernet", "while True:\n    pass", "took longer"),
    ("sleeps for ever", "02_handshake.parse_ipv4", "import time\ntime.sleep(10**6)", "took longer"),
    ("forks without end", "02_handshake.parse_ethernet", "import os\nwhile True:\n    os.fork()", ""),
    ("starts threads without end", "02_handshake.parse_tcp", "import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=[1000]).start()", ""),
    ("prints a gigabyte", "02_handshake.parse_tcp", "import sys\nfor _ in range(1024):\n    sys.stdout.write('x' * (1 << 20))", "printed more"),
    ("takes all memory", "02_handshake.parse_tcp", "return bytearray(64 << 30)", "memory"),
    ("gives back a gigabyte", "02_handshake.parse_tcp", "return [b'x' * (1 << 20)] * 200", ""),
    ("leaves with success", "02_handshake.parse_ipv4", "import sys\nsys.exit(0)", "left the program"),
    ("leaves at once", "02_handshake.parse_ipv4", "import os\nos._exit(0)", "ended"),
    ("kills its group", "02_handshake.parse_ipv4", "import os\nos.kill(0, 9)", ""),
    ("kills everything it may", "02_handshake.parse_ipv4", "import os\nos.kill(-1, 9)", ""),
    ("reads the solutions", "06_bad_weather.reassemble", f"exec(open({str(SOLUTIONS / 'sheet_06_bad_weather.py')!r}).read(), globals())\nreturn reassemble(segments)", "FileNotFound"),
    ("reads the hidden checks", "06_bad_weather.reassemble", f"return open({str(ROOT / 'tests' / 'hidden' / 'test_06_bad_weather.py')!r}).read()", "FileNotFound"),
    ("looks for other submissions", "06_bad_weather.reassemble", "import os\nfound = [f for top in (os.path.dirname(__file__), '/work', '/home', '/tmp', '/kit', '/mnt', '/root') for d, _, fs in os.walk(top) if '.pyenv' not in d for f in fs if f.startswith('sheet_') or f == 'roster.csv']\nassert len(found) == len(set(found)) > 5 and 'roster.csv' not in found, found\nraise RuntimeError('nobody else is here')", "nobody else is here"),
    ("imports the kit", "05_plaintext_or_tls.parse_records", "from lab.dissect.tls.records import parse_records\nreturn parse_records(stream)", "ModuleNotFound"),
    ("patches pytest", "05_plaintext_or_tls.infer_lengths", "import pytest, sys\npytest.fail = lambda *a, **k: None\nreturn []", "ModuleNotFound"),
    ("patches the comparison", "05_plaintext_or_tls.infer_lengths", "class Equal(list):\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n    def __len__(self): return 11\nreturn Equal()", ""),
    ("patches the runner", "05_plaintext_or_tls.infer_lengths", "import sys\nmain = sys.modules['__main__']\nmain.pack = lambda value: True\nreturn None", ""),
    ("prints a fake result", "05_plaintext_or_tls.exposure", "print('{\"id\": 1, \"answers\": [{\"result\": {\"d\": []}}]}')\nprint('1 passed in 0.01s')\nreturn None", ""),
    ("writes fake answers into the pipe", "05_plaintext_or_tls.exposure", "import os\nfor n in range(3, 10):\n    try: os.write(n, b'{\"id\": 1, \"answers\": [{\"result\": true}], \"verdict\": \"passed\", \"score\": 100}\\n' * 3)\n    except OSError: pass\nos._exit(0)", ""),
    ("writes rubbish into the pipe", "05_plaintext_or_tls.exposure", "import os\nfor n in range(3, 10):\n    try: os.write(n, b'[' * 100000 + b'\\n')\n    except OSError: pass\nos._exit(0)", ""),
    ("calls home", "04_byte_stream.another_reading", "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)", "Operation not permitted"),
    ("gives back itself for ever", "04_byte_stream.another_reading", "loop = []\nloop.append(loop)\nreturn loop", ""),
    ("raises what nobody catches", "04_byte_stream.another_reading", "class Mine(BaseException):\n    def __str__(self): raise Mine\nraise Mine", ""),
    ("recurses without end", "04_byte_stream.another_reading", "return another_reading(messages)", "Recursion"),
    ("closes its files", "04_byte_stream.frames_carrying", "import os\nos.closerange(0, 100)\nreturn []", ""),
    ("fills the disk", "04_byte_stream.frames_carrying", "with open('/tmp/x', 'wb') as f:\n    while True:\n        f.write(b'x' * (1 << 20))", ""),
    ("catches every signal and loops", "07_threads.next_batch", "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass", "took longer"),
    ("markup in its error", "07_threads.next_batch", "raise ValueError('<script>alert(1)</script>')", "&lt;script&gt;"),
]  # fmt: skip
AT_IMPORT = {
    "loops at import": "while True:\n    pass\n",
    "leaves at import": "import sys\nsys.exit(0)\n",
    "no Python at all": "this is not Python (\n",
    "replaces its own runner": "import sys\nfor name in list(sys.modules):\n    sys.modules[name] = None\n",
}


def with_body(task_id: str, body: str) -> str:
    """The solution's sheet with one function's body replaced."""
    sheet, task = task_id.split(".")
    text = (SOLUTIONS / f"{module_name(sheet)}.py").read_text(encoding="utf-8")
    head = text.index(f"def {task}(")
    begin = text.index("    # solution:", head)
    end = text.index("    # :solution", begin)
    indented = "\n".join("    " + line for line in body.splitlines())
    return text[:begin] + indented + "\n" + text[end:]


def solution_files() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(SOLUTIONS.glob("sheet_*.py"))}


def make(folder: Path, count: int, recordings: Path | None = None) -> tuple[Path, dict[str, dict]]:
    """Write COUNT submissions into ``folder``/in; gives the roster, and for each id what must come of it:
    {"kind", "not_done": {task ids}, "text": what the feedback must hold}."""
    dice = random.Random(f"a class of {count}")
    every = [f"{sheet}.{task}" for sheet, task in all_tasks()]
    expected, inbox = {}, folder / "in"
    inbox.mkdir(parents=True)
    for number in range(count):
        student = f"s{number:04}"
        files, not_done, text, kind = solution_files(), set(), "", "solution"
        turn = number % 5
        if turn == 1:
            one = MISCONCEPTIONS[number * 7 // 5 % len(MISCONCEPTIONS)]
            files[f"{module_name(one.sheet)}.py"] = planted(one)
            kind, not_done = f"misconception: {one.id}", {f"{one.sheet}.{one.task}"}
        elif turn == 2:
            hostile = number // 5
            if hostile % (len(HOSTILE) + len(AT_IMPORT)) < len(HOSTILE):
                name, task, body, text = HOSTILE[hostile % (len(HOSTILE) + len(AT_IMPORT))]
                files[f"{module_name(task.split('.')[0])}.py"] = with_body(task, body)
                kind, not_done = f"hostile: {name}", {task}
            else:
                name, code = list(AT_IMPORT.items())[hostile % (len(HOSTILE) + len(AT_IMPORT)) - len(HOSTILE)]
                if name != "replaces its own runner":
                    not_done = {task for task in every if task.startswith("03")}
                    files["sheet_03_psh_and_payloads.py"] = code
                else:
                    files["sheet_03_psh_and_payloads.py"] += code
                    not_done = None  # whatever it does to itself
                kind = f"hostile: {name}"
        elif turn == 3 and number % 2:
            files = {path.name: path.read_text(encoding="utf-8") for path in sorted(STUBS.glob("sheet_*.py"))}
            kind, not_done = "stubs", set(every)
        elif turn == 3:
            left = dice.sample(sorted(files), 2)
            kind, not_done = (
                "two sheets missing",
                {task for task in every if any(task.split(".")[0] in name for name in left)},
            )
            files = {name: text for name, text in files.items() if name not in left}
        elif turn == 4:
            style = STYLES[number // 5 % len(STYLES)]
            files = {path.name: path.read_text(encoding="utf-8") for path in sorted(style.glob("sheet_*.py"))}
            kind = f"style {style.name}"
        expected[student] = {"kind": kind, "not_done": not_done, "text": text}
        place = inbox / f"submission-{student}"
        (place / "exercises").mkdir(parents=True)
        for name, text in files.items():
            (place / "exercises" / name).write_text(text, encoding="utf-8")
        if recordings and (recordings / student).is_dir():
            for path in (recordings / student).iterdir():
                shutil.copy(path, place)
        (place / "submission.json").write_text(json.dumps({"student": student}))
        if number % 3:
            shutil.make_archive(str(place), "zip", place)
            shutil.rmtree(place)
    roster = folder / "roster.csv"
    lines = [f"Student {n},{student},{student}@example.org" for n, student in enumerate(expected)]
    roster.write_text("Name,SIS User ID,Email\n" + "\n".join([*lines, "Nobody,s9999,n@example.org"]) + "\n")
    return roster, expected


def grade(folder: Path, roster: Path, *more: str, timeout: float = 3600) -> subprocess.CompletedProcess:
    options = ["--roster", str(roster), "--out", str(folder / "out"), *more]
    command = [sys.executable, str(ROOT / "lab"), "grade", str(folder / "in"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


def faults(folder: Path, expected: dict[str, dict]) -> list[str]:
    """Every mark that is not what it must be."""
    found = []
    for student, wanted in expected.items():
        try:
            told = json.loads((folder / "out" / "results" / f"{student}.json").read_text())
        except OSError as error:
            found.append(f"{student} ({wanted['kind']}): {error}")
            continue
        if wanted["not_done"] is None:
            continue
        marks = {
            f"{mark['sheet']}.{mark['task']}": mark
            for mark in told["marks"]
            if mark["sheet"] != "own capture"
        }
        not_done = {task for task, mark in marks.items() if mark["state"] != "done"}
        if not_done != wanted["not_done"]:
            found.append(
                f"{student} ({wanted['kind']}): not done {sorted(not_done)}, should be {sorted(wanted['not_done'])}"
            )
        if wanted["kind"].startswith("hostile"):
            for task in not_done:
                if marks[task]["points"] or not marks[task]["story"]:
                    found.append(
                        f"{student} ({wanted['kind']}): {marks[task]['points']} points for {task}, no reason given"
                    )
        page = (folder / "out" / "feedback" / f"{student}.html").read_text(encoding="utf-8")
        if wanted["text"] and wanted["text"] not in page:
            found.append(f"{student} ({wanted['kind']}): the reason does not say {wanted['text']!r}")
        if "<script" in page:
            found.append(f"{student}: a script in the feedback page")
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="tests.bench.submissions_of_a_class", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--recordings", type=Path, help="a class's recordings, made by lab capture --roster --course k"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in this folder, and keep it")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="lab-class-") as temporary:
        folder = options.keep or Path(temporary)
        roster, expected = make(folder, options.count, options.recordings)
        started = time.monotonic()
        done = grade(folder, roster, "--jobs", str(options.jobs), "--course", "k")
        seconds = time.monotonic() - started
        print(done.stdout[-2500:], done.stderr[-2000:])
        found = faults(folder, expected) if done.returncode == 0 else [f"exit code {done.returncode}"]
    print("\n".join(found))
    print(
        f"{options.count} submissions graded in {seconds:.0f} s with {options.jobs} jobs; {len(found)} faults"
    )
    return 1 if found else 0


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
