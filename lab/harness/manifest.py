"""``manifest.json``: the truth beside the recordings that analyses are scored against.

It says who said what and when, on which port, with which versions, and the SHA-256 of each file, so that nobody analyses
another recording by mistake. It is written last and as a whole: a folder without one holds no finished recording.
"""

import hashlib
import json
import platform
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lab.harness.tap import RecordingError, libpcap_version

MANIFEST = "manifest.json"
HAND_OUT = ("answers.toml", "about.json")  # of a student's own conversation (lab.harness.student_capture)
Entry = dict[str, Any]  # what is true of one recording: JSON


def make_way(out: Path, names: Iterable[str], say: Callable[[str], None]) -> None:
    """Say what a recording replaces in the folder ``out``, and remove its manifest, which will no longer be true.

    Raises RecordingError for a folder that a student was given: it is handed in, and nobody can record it again.
    """
    if any((out / name).exists() for name in HAND_OUT):
        reason = "holds recordings that were handed out, which are never replaced"
        raise RecordingError(f"{out} {reason}; take another --out")
    if replaced := [name for name in (*names, MANIFEST) if (out / name).exists()]:
        say(f"replacing {', '.join(replaced)} in {out}")
    (out / MANIFEST).unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_manifest(path: Path, recordings: list[Entry], where: str, **more: Any) -> dict[str, Any]:
    """Write what is true of these recordings, whole or not at all; return it. Raises OSError."""
    manifest = {
        "format": 1,
        "made_by": "lab/capture.py",
        **more,
        "where": where,
        "versions": {
            "python": platform.python_version(),
            "openssl": ssl.OPENSSL_VERSION,
            "libpcap": libpcap_version(),
            "system": f"{platform.system()} {platform.release()}",
        },
        "recordings": recordings,
    }
    partial = path.with_suffix(".json.part")
    partial.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
    return manifest


def read_manifest(path: Path | str) -> dict[str, Any]:
    """Return the manifest at ``path``. Raises RecordingError if it is missing or invalid."""
    try:
        manifest: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        recordings = manifest["recordings"]
        is_list = isinstance(recordings, list) and all(isinstance(entry, dict) for entry in recordings)
        if manifest["format"] != 1 or not is_list:
            raise ValueError("not the format that this kit writes")
        return manifest
    except OSError as error:
        raise RecordingError(f"cannot read the manifest {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RecordingError(f"{path} is not a recording's manifest: {error}") from error
