"""The capture harness: ``python lab/capture.py [--out DIR] [--tls none 1.2 1.3] [--seed N]``.

Plays a scripted chat through the real server and clients and records it, with a manifest of what was said.
"""

if __name__ == "__main__" and not __package__:
    from setup import bootstrap
else:
    from lab.setup import bootstrap  # noqa: F401  the same, started with -m or in a worker process

import argparse
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from lab.commands import at_least_one, cluster_address, course_key, print_bar, refuse
from lab.harness import scenarios
from lab.harness.variant import DISGUISES, REPORT_PORT, RETRY_GROUP, TLS_VERSIONS, USUAL_PAD, WIRES, Variant
from lab.setup import first_use
from lab.setup.install import SetupError
from lab.setup.paths import ROOT

TODAY = ["groups", "retry", "pad_records"]  # options that need TLS 1.3 and pyOpenSSL
SESSION = ["tls", "wire", "pad", "disguise", "seed", "script", "pace", "port", "keys", *TODAY]
SLOWEST_PACE_S = 60


class Parser(argparse.ArgumentParser):
    """A parser that prints an error without its dozen lines of usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"lab capture: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="lab/capture.py", description="Record scripted chat sessions.")
    add, names = parser.add_argument, scenarios.names()
    out = "folder for the recordings and manifest.json (default: captures/mine)"
    add("--out", type=Path, default=ROOT / "captures" / "mine", metavar="DIR", help=out)
    which = "chat: a conversation on the loopback (default); or scenarios on a LAN, each a recording of one thing: "
    which += f"{', '.join(names)}; all: all of these"
    add(
        "--scenario", nargs="+", choices=["chat", "all", *names], default=["chat"], metavar="NAME", help=which
    )
    _add_session(parser)
    shipped = "make the captures that ship with the kit again, in captures/"
    add("--shipped", action="store_true", help=shipped)
    _add_own(parser)
    add("--quiet", action="store_true", help="print nothing but errors")
    add("--json", action="store_true", help="print the manifest, and nothing else")
    return parser


def _add_session(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    lines = 'lines "NAME: text", "NAME: /msg OTHER text", "NAME joins", "NAME leaves", "# comment"'
    add("--script", type=Path, metavar="FILE", help=f"a conversation of your own: {lines}")
    tls = "one recording for each: plaintext, TLS 1.2, TLS 1.3 (default: none, that is plaintext)"
    add("--tls", nargs="+", choices=TLS_VERSIONS, default=["none"], help=tls)
    wires = "and for each wire format"
    add("--wire", nargs="+", choices=WIRES, default=["report"], help=wires)
    add("--pad", type=int, metavar="N", help="and once more over TLS with lines padded to N bytes")
    add("--disguise", nargs="+", choices=DISGUISES, default=[], help="and badly disguised")
    groups = "with --tls 1.3: one recording for each group that a client may offer: X25519, X25519MLKEM768, A:B for both"
    add("--groups", nargs="+", metavar="NAME", default=[], help=groups)
    retry = "with --groups: once more for each, with a server that asks for another one (HelloRetryRequest)"
    add("--retry", action="store_true", help=retry)
    records = "with --tls 1.3: once more with records filled up to blocks of N bytes"
    add("--pad-records", type=int, default=0, metavar="N", help=records)
    add("--seed", type=int, default=0, help="which conversation (default: %(default)s)")
    pace = "pause for S seconds on average before each step, as people do (default: no pauses)"
    add("--pace", type=_pace_s, default=0.0, metavar="S", help=pace)
    add("--port", type=int, help=f"the server's port (default: {REPORT_PORT}, or a free one)")
    add("--keys", action="store_true", help="also write the TLS secrets, for opening the recording")


def _pace_s(text: str) -> float:
    try:
        if 0 <= (seconds := float(text)) <= SLOWEST_PACE_S:
            return seconds
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a pace: from 0 to {SLOWEST_PACE_S} seconds")


def _add_own(parser: argparse.ArgumentParser) -> None:
    own = parser.add_argument_group("a different conversation for each student").add_argument
    own("--student", metavar="ID", help="record this student's conversation, into DIR/ID")
    if (ROOT / "lab" / "instructor").is_dir():  # not in the students' copy
        everyone = "the same for everyone on a class list; goes on if cut off"
        own("--roster", type=Path, metavar="CSV", help=everyone)
        on = "with --roster: on a cluster, its scheduler or local (see: lab cluster --help)"
        own("--on", metavar="ADDRESS", type=cluster_address, help=on)
    parser.set_defaults(roster=None, on=None)
    attack = "with an attack on one of the users, chosen by the id, as attack.pcapng (Linux)"
    own("--attack", action="store_true", help=attack)
    key = "the course's key: another key means other conversations"
    own("--course", metavar="KEY", type=course_key, help=key)
    jobs = "how many at a time (default: %(default)s)"
    own("--jobs", type=at_least_one, default=os.cpu_count() or 2, help=jobs)


def main(argv: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    silent = options.quiet or options.json
    is_own = options.student is not None or options.roster is not None
    _check(options, parser, is_own)
    if is_own:
        return _record_own(options, silent)

    from lab.harness.manifest import MANIFEST

    try:
        manifest = _record(options, (lambda line: None) if silent else print)
    except OSError as error:  # RecordingErrors are OSErrors, with a text for people
        return refuse("capture", error)
    if options.json:
        print(json.dumps(manifest, indent=1))
    elif not options.quiet:
        for recording in manifest["recordings"]:
            for one in (recording, *recording.get("views", [])):  # recorded at other places
                frames = f": {one['frames']} frames" if "frames" in one else ""
                print(f"{options.out / one['file']}{frames}")
        print(f"{options.out / MANIFEST}: what was said, by whom, when")
    return 0


def _check(options: argparse.Namespace, parser: argparse.ArgumentParser, is_own: bool) -> None:
    """End with an error where the options contradict each other; fill in what --shipped chooses."""

    def leave_out(reason: str, *names: str) -> None:
        if given := [
            f"--{name.replace('_', '-')}"
            for name in names
            if getattr(options, name) != parser.get_default(name)
        ]:
            parser.error(f"{reason}: leave out {', '.join(given)}")

    if options.on and options.roster is None:
        parser.error("--on goes with --roster")
    if is_own:
        if options.student is not None and options.roster is not None:
            parser.error("--student is for one, --roster for a class: leave out one of them")
        reason = "a student's conversation follows from the id and the course's key"
        leave_out(reason, *SESSION, "scenario", "shipped")
    elif options.attack or options.course is not None:
        name = "--attack" if options.attack else "--course"
        parser.error(f"{name} goes with --student or --roster")
    if options.scenario != ["chat"]:
        leave_out("a scenario determines everything itself", *SESSION)
        if len(options.scenario) > 1 and {"chat", "all"} & set(options.scenario):
            parser.error("--scenario chat and --scenario all stand alone: leave out the other names")
    if options.shipped:
        leave_out("--shipped chooses everything itself", *SESSION, "scenario", "out")
        options.out, options.keys = ROOT / "captures" / "chat", True
        options.tls, options.wire, options.pad, options.disguise = TLS_VERSIONS, WIRES, USUAL_PAD, DISGUISES
    if options.script and options.seed != parser.get_default("seed"):
        parser.error("--seed chooses a conversation and --script is one: leave out one of them")
    if any(getattr(options, name) for name in TODAY):
        _check_today(options, parser)
    if options.port is not None and not 0 <= options.port <= 65535:
        parser.error(f"{options.port} is not a port: a number from 0 to 65535")
    padded_over_tls = "json" in options.wire and set(options.tls) - {"none"}
    if options.pad is not None and not (padded_over_tls and 16 <= options.pad <= 4096):
        parser.error("--pad needs a block of 16 to 4096 bytes, --wire json and a --tls version")


def _check_today(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """End with an error where --groups, --retry or --pad-records cannot be had."""
    if options.tls != ["1.3"] or options.disguise:
        parser.error("--groups, --retry and --pad-records need --tls 1.3 alone, without --disguise")
    for groups in options.groups:
        if not re.fullmatch(r"\w+(:\w+)*", groups):
            parser.error(f"{groups!r} is not a group, or several with : between them")
        if options.retry and RETRY_GROUP in groups.lower().split(":"):
            parser.error(f"--retry asks for {RETRY_GROUP}: leave it out of --groups")
    if options.retry and not options.groups:
        parser.error("--retry needs --groups: those that the client offers")
    if options.pad_records and not 16 <= options.pad_records <= 16_384:
        parser.error("--pad-records needs a block of 16 to 16384 bytes")


def _variants(options: argparse.Namespace) -> list[Variant]:
    """Return what the options of a session choose, in their order."""
    variants = [
        Variant(tls, wire, groups=groups)
        for wire in options.wire
        for tls in options.tls
        for groups in options.groups or [""]
    ]
    once_more = [replace(one, retry=True) for one in variants if options.retry]
    if options.pad_records:
        once_more += [replace(one, pad_records=options.pad_records) for one in variants]
    variants += once_more
    if options.pad is not None:
        variants += [Variant(tls, "json", options.pad) for tls in options.tls if tls != "none"]
    return variants + [
        Variant("none", wire, disguise=one) for wire in options.wire for one in options.disguise
    ]


def _record(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    if options.scenario != ["chat"]:
        from lab.harness.lessons import record_lessons

        names = None if options.scenario == ["all"] else dict.fromkeys(options.scenario)
        return record_lessons(options.out, names, say)

    from lab.harness import script_file, session
    from lab.harness.script import make_script
    from lab.harness.tap import RecordingError

    try:
        script = script_file.read_script(options.script) if options.script else make_script(options.seed)
    except script_file.ScriptError as error:
        raise RecordingError(str(error)) from None
    script = replace(script, pace_s=options.pace)
    if "report" in options.wire and options.script and any(step.action == "tell" for step in script.steps):
        say("the report wire has no private messages: they are left out there (--wire json has them)")
    manifest = session.record(
        options.out, _variants(options), options.seed, options.port, options.keys, say=say, script=script
    )
    if options.shipped:
        from lab.harness.scenarios import report

        report.write_frame_1193(ROOT / "captures")
    return manifest


def _record_own(options: argparse.Namespace, silent: bool) -> int:
    from lab.harness.student_capture import ATTACK, FILES, record_student
    from lab.harness.student_profile import DEFAULT_KEY, check_id, profile
    from lab.harness.tap import RecordingError

    key = DEFAULT_KEY if options.course is None else options.course
    files = ", ".join([*FILES, ATTACK] if options.attack else FILES)
    try:
        if options.roster is not None:
            return _record_class(options, key, files, silent)
        name = check_id(options.student)
        say = (lambda line: None) if silent else print
        if name != options.student:
            say(f"IDs are written in small letters: {options.student} becomes {name}")
        about = record_student(profile(name, key), options.out / name, say, options.attack)
    except (ValueError, RecordingError) as error:
        return refuse("capture", error)
    if options.json:
        print(json.dumps(about))
    elif not silent:
        print(f"{options.out / name}: {files}")
    return 0


def _record_class(options: argparse.Namespace, key: str, files: str, silent: bool) -> int:
    from lab.harness.session import recording_into
    from lab.harness.student_profile import DEFAULT_KEY
    from lab.instructor import cluster, roster

    if key == DEFAULT_KEY and not silent:
        print(roster.DEFAULT_KEY_REMARK)
    entries = roster.read_roster(options.roster)
    say = (lambda *_: None) if silent else print_bar
    record = partial(cluster.record, options.on) if options.on else roster.record_here
    with recording_into(options.out):
        failed = roster.record_roster(entries, key, options.out, options.jobs, say, record, options.attack)
    if options.json:
        print(json.dumps({"failed": failed, "recorded": len(entries) - len(failed)}))
    elif not silent and not failed:
        print(f"{options.out}: {files} for each")
    for name, reason in failed.items():
        print(f"lab capture: {name}: {reason}", file=sys.stderr)
    return 2 if failed else 0


if __name__ == "__main__":
    try:
        if not {"-h", "--help"} & set(sys.argv):
            first_use.ensure()
        sys.exit(main())
    except SetupError as error:
        sys.exit(refuse("capture", error))
    except KeyboardInterrupt:
        print("\nlab capture: interrupted; if something was recorded, it can be opened", file=sys.stderr)
        sys.exit(130)
