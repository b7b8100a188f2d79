"""Make an autograder for Gradescope, and run it there: ``python -m lab.instructor.gradescope BASE``.

Gradescope unpacks the zip into BASE/source (BASE is /autograder), runs ``setup.sh`` once, and for each hand-in, as root in a
container of its own, ``run_autograder``: the files are in BASE/submission, who it is from in
BASE/submission_metadata.json, and BASE/results/results.json is what it reads. Source: gradescope-autograders.readthedocs.io,
pages "Autograder Specifications" and "Submission Metadata".
"""

import json
import sys
import zipfile
from pathlib import Path

from lab.instructor import marking, outputs, sandbox, students_copy, submissions
from lab.instructor.grading import work_folder
from lab.instructor.kernel import SandboxError
from lab.instructor.roster import Entry, RosterError, read_roster
from lab.setup.paths import ROOT

KEY, ROSTER = "course-key.txt", "roster.csv"
LARGEST_METADATA = 1 << 20  # bytes
SETUP = """#!/usr/bin/env bash
set -e
apt-get update
apt-get install -y python3 python3-venv
cd "$(dirname "$0")/kit"
python3 lab --no-system dissect captures/report-frame-1193.pcapng
"""
RUN = """#!/usr/bin/env bash
cd "$(dirname "$0")"
base=$PWD
cd source/kit && exec .venv/bin/python -m lab.instructor.gradescope "$base"
"""


def make_autograder(path: Path, roster: Path, key: str) -> int:
    """Write the zip; return the number of files. Raise RosterError or OSError."""
    if unknown := [one.id for one in read_roster(roster) if not one.email]:
        raise RosterError(
            f"{roster} has no e-mail address of {', '.join(unknown[:5])}: Gradescope names students by it"
        )
    names = students_copy.files_of_the_kit()
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("setup.sh", SETUP), ("run_autograder", RUN)):
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o755 << 16
            archive.writestr(info, text)
        archive.write(roster, ROSTER)
        archive.writestr(KEY, key)
        for name in names:
            archive.write(ROOT / name, f"kit/{name}")
    return len(names)


def run(base: Path) -> str:
    """Grade the one hand-in, write results.json, and return a line about it. Raise RosterError or OSError."""
    source = base / "source"
    owner = find_owner(base / "submission_metadata.json", read_roster(source / ROSTER))
    found = submissions.read(base / "submission")
    with work_folder() as work:
        way, refusals = sandbox.choose(work)
        if way is None:
            raise SandboxError(f"there is no sandbox here: {'; '.join(refusals.values())}")
        found.unpack(work / owner.id)
        key = (source / KEY).read_text(encoding="utf-8")
        result = marking.mark(owner.id, work / owner.id, key, way, remarks=found.remarks)
    outputs.write_gradescope(base / "results" / "results.json", result)
    return f"{owner.id}: {result.summary()}; graded {result.sandbox}"


def find_owner(path: Path, roster: list[Entry]) -> Entry:
    """Return the student who handed in, by e-mail address: the name in an account is the student's to change."""
    try:
        with open(path, "rb") as file:
            user = json.loads(file.read(LARGEST_METADATA))["users"][0]
        email = str(user["email"]).lower()
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise RosterError(f"{path} is not Gradescope's: {error!r:.100}") from error
    owners = [one for one in roster if one.email.lower() == email]
    if len(owners) != 1:
        raise RosterError(f"{outputs.readable(email)} is not on the roster: add it, and upload the zip again")
    return owners[0]


def main(argv: list[str] | None = None) -> int:
    [base] = sys.argv[1:] if argv is None else argv
    try:
        print(run(Path(base)))
    except (RosterError, OSError) as error:
        print(f"gradescope: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
