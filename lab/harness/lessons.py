"""Record scenarios into a folder, with their manifest: those that the notebooks open ship in captures/lessons."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lab.dissect.files.capture_file import read_capture
from lab.harness.manifest import MANIFEST, Entry, make_way, read_manifest, sha256_of, write_manifest
from lab.harness.scenarios import scenarios
from lab.harness.session import recording_into
from lab.harness.variant import REPORT_PORT
from lab.net.plan import REPORT_LAN

SERVER = {"address": REPORT_LAN[0].nics[0].addresses[0].split("/")[0], "port": REPORT_PORT}


def record_lessons(
    out: Path | str, names: Iterable[str] | None = None, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Record these scenarios (None: all) into the folder ``out``; return the manifest that was written.

    The manifest keeps the entries of other scenarios that are there already. Raises KeyError for a scenario that does
    not exist, RecordingRefused where this system allows no namespaces, RecordingError for anything else that goes wrong.
    """
    out = Path(out)
    chosen = {name: scenarios()[name] for name in (scenarios() if names is None else names)}
    with recording_into(out):
        entries = _recorded(out)
        make_way(out, [f"{name}.pcapng" for name in chosen], say)
        for name, one in chosen.items():
            say(f"recording {name}.pcapng: {one.about}")
            path = out / f"{name}.pcapng"
            truth = one.play(path)
            entries[name] = {
                "file": path.name,
                "scenario": name,
                "sha256": sha256_of(path),
                "frames": len(read_capture(path)),
                "notebook": one.notebook,
                "about": one.about,
                "server": SERVER,
            } | truth
        return write_manifest(out / MANIFEST, list(entries.values()), "a LAN of the kit's own")


def _recorded(out: Path) -> dict[str, Entry]:
    """Return the entries of scenarios in the manifest of ``out``, if there is one, by name."""
    if not (out / MANIFEST).exists():
        return {}
    entries = {Path(entry["file"]).stem: entry for entry in read_manifest(out / MANIFEST)["recordings"]}
    return {name: entry for name, entry in entries.items() if name in scenarios()}
