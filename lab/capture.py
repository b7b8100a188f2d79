"""The capture harness: ``python lab/capture.py [--out DIR] [--tls none 1.2 1.3] [--seed N]``.

Plays a scripted chat through the real server and clients and records it, with a manifest of what was said.
"""

if not __package__:
    from setup import bootstrap
else:
    from lab.setup import bootstrap  # noqa: F401  the same, started with -m

import argparse
import json
import os
import sys
from pathlib import Path

from lab.harness import variant
from lab.setup import first_use

SESSION = (
    "tls",
    "wire",
    "pad",
    "disguise",
    "seed",
    "script",
    "port",
    "keys",
)  # the options that choose a session


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lab/capture.py", description="Record scripted chat sessions.")
    parser.add_argument(
        "--out",
        type=Path,
        default=first_use.ROOT / "captures" / "mine",
        metavar="DIR",
        help="folder for the recordings and manifest.json (default: captures/mine)",
    )
    parser.add_argument(
        "--scenario",
        choices=["chat", "report"],
        default="chat",
        help="chat: a conversation on the loopback (default); report: the session of its trace, at PC 1 of its LAN",
    )
    parser.add_argument(
        "--script",
        type=Path,
        metavar="FILE",
        help='a conversation of your own: lines "NAME: text", "NAME: /msg OTHER text", "NAME joins", "NAME leaves", '
        '"# comment"',
    )
    variant.add_arguments(parser)
    parser.add_argument(
        "--shipped", action="store_true", help="make the captures that ship with the kit again, in captures/"
    )
    own = parser.add_argument_group("a conversation of one's own for each student")
    own.add_argument("--student", metavar="ID", help="record this student's conversation, into DIR/ID")
    if (first_use.ROOT / "lab" / "instructor").is_dir():  # not in the students' copy
        own.add_argument(
            "--roster",
            type=Path,
            metavar="CSV",
            help="the same for everyone on a class list; goes on if cut off",
        )
    parser.set_defaults(roster=None)
    own.add_argument(
        "--course", metavar="KEY", default="lab", help="the course's key: another one, other conversations"
    )
    own.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 2, help="how many at a time (default: %(default)s)"
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--json", action="store_true", help="print the manifest, and nothing else")
    options = parser.parse_args(argv)
    silent = options.quiet or options.json
    if options.student is None and options.roster is None and _given(options, parser, ("course",)):
        parser.error("--course goes with --student or --roster")
    if options.student is not None or options.roster:
        if options.student is not None and options.roster:
            parser.error("--student is for one, --roster for a class: leave out one of them")
        if unfit := _given(options, parser, (*SESSION, "scenario", "shipped")):
            parser.error(
                f"a student's conversation follows from the id and the course's key: leave out {unfit}"
            )
        return _record_own(options, silent)
    if options.scenario == "report" and (unfit := _given(options, parser, SESSION)):
        parser.error(f"the report's scenario is what it is: leave out {unfit}")
    if options.shipped:
        if unfit := _given(options, parser, (*SESSION, "scenario", "out")):
            parser.error(f"--shipped chooses everything itself: leave out {unfit}")
        options.out, options.keys = first_use.ROOT / "captures" / "chat", True
        options.tls, options.wire = list(variant.TLS_VERSIONS), list(variant.WIRES)
        options.pad, options.disguise = 128, list(variant.DISGUISES)
    if options.script and _given(options, parser, ("seed",)):
        parser.error("--seed chooses a conversation and --script is one: leave out one of them")
    try:
        options.variants = variant.chosen_variants(options)
    except ValueError as error:
        parser.error(str(error))

    from lab.harness import report_frame, session

    try:
        manifest = _record(options, (lambda line: None) if silent else print)
        if options.shipped:
            report_frame.write(first_use.ROOT / "captures")
    except OSError as error:  # RecordingErrors are OSErrors, with a text for people
        print(f"capture: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(manifest, indent=1))
    elif not options.quiet:
        for recording in manifest["recordings"]:
            print(f"{options.out / recording['file']}: {recording['frames']} frames")
        print(f"{options.out / session.MANIFEST}: what was said, by whom, when")
    return 0


def _given(options: argparse.Namespace, parser: argparse.ArgumentParser, names) -> str:
    """Those of the options that were chosen, as text for an error."""
    return ", ".join(f"--{name}" for name in names if getattr(options, name) != parser.get_default(name))


def _record_own(options: argparse.Namespace, silent: bool) -> int:
    from lab.harness import student_capture
    from lab.harness.tap import RecordingError

    try:
        if options.roster is not None:
            return _record_class(options, silent)
        name = student_capture.check_id(options.student)
        profile = student_capture.profile(name, options.course)
        about = student_capture.record_student(profile, options.out / name)
    except (ValueError, RecordingError) as error:
        print(f"capture: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(about))
    elif not silent:
        print(f"\n{options.out / name}: {', '.join(student_capture.FILES)}")
    return 0


def _record_class(options: argparse.Namespace, silent: bool) -> int:
    from lab.harness import student_capture
    from lab.instructor import roster

    entries = roster.read_roster(options.roster)
    say = (lambda *_: None) if silent else _bar
    failed = roster.record_roster(entries, options.course, options.out, max(1, options.jobs), say)
    if options.json:
        print(json.dumps({"failed": failed, "recorded": len(entries) - len(failed)}))
    elif not silent:
        print(f"\n{options.out}: {', '.join(student_capture.FILES)} for each")
    for name, reason in failed.items():
        print(f"capture: {name}: {reason}", file=sys.stderr)
    return 2 if failed else 0


def _bar(done: int, total: int, what: str) -> None:
    """A bar that grows in place on a terminal, and a line each elsewhere."""
    filled = 30 * done // max(total, 1)
    line = f"[{'#' * filled}{'.' * (30 - filled)}] {done} of {total}  {what}"
    print(
        f"\r\x1b[K{line[:110]}" if sys.stdout.isatty() else line,
        end="" if sys.stdout.isatty() else "\n",
        flush=True,
    )


def _record(options: argparse.Namespace, say) -> dict:
    if options.scenario == "report":
        from lab.harness.scenarios import report

        return report.record_report(options.out, say)
    from lab.harness import script_file, session

    try:
        script = script_file.read_script(options.script) if options.script else None
    except script_file.ScriptError as error:
        raise session.RecordingError(str(error)) from None
    if (
        script
        and "report" in {one.wire for one in options.variants}
        and any(s.action == "tell" for s in script.steps)
    ):
        say("the report wire has no private messages: they are left out there (--wire json has them)")
    return session.record(
        options.out, options.variants, options.seed, options.port, options.keys, say=say, script=script
    )


if __name__ == "__main__":
    try:
        if not {"-h", "--help"} & set(sys.argv):
            first_use.ensure()
        sys.exit(main())
    except first_use.SetupError as error:
        print(f"capture: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\ncapture: interrupted; if something was recorded, it can be opened", file=sys.stderr)
        sys.exit(130)
