"""Read folders and zips that somebody else made: every name, size and depth has a bound.

Bytes are read in pieces, never more of them than a file claims to have. Files are opened once they are wanted.
"""

import functools
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from lab.instructor import platforms

DEEPEST = 400  # folders in folders
LARGEST_ZIP = 64 << 20
MOST_ENTRIES, LARGEST_DOWNLOAD = 200_000, 32 << 30  # of a platform's zip with the hand-ins of a class; bytes
LONGEST_REMARK = 300  # characters
LARGEST_READ = 1 << 20  # at once from a zip, whose list of files is read in one piece
BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # read in pieces; other kinds may fill the memory
Loader = Callable[[], bytes]  # reads a file
# A file's name, the size that it claims, and how to read it if that is BOUNDED.
Found = tuple[str, int, Loader | None]


def files_below(path: Path) -> dict[str, Path] | None:
    """Return the files in a folder and below by their paths in it, or None for a zip."""
    if not path.is_dir():
        return None
    files: list[Path] = []
    for folder, inner, names in os.walk(path):  # follows no link; it calls itself for each level
        files += [Path(folder, name) for name in names]
        inner[:] = inner if len(Path(folder).parts) < DEEPEST else []
    return {file.relative_to(path).as_posix(): file for file in files}


def in_folder(files: dict[str, Path]) -> Iterator[Found]:
    """Yield the files of ``files_below``: the zips last, the newest first; links are left out."""
    loose = [name for name in files if not platforms.is_zip(name)]
    zips = [name for name in files if platforms.is_zip(name)]
    loose.sort(key=lambda name: (platforms.is_numbered(name), PurePosixPath(name)))
    zips.sort(key=lambda name: platforms.order(files[name]), reverse=True)  # of several, the last counts
    for name in loose + zips:
        if (file := files[name]).is_file() and not file.is_symlink():
            size = file.stat().st_size
            yield name, size, functools.partial(_load, size, open, file, "rb")


class _ZipFile(io.FileIO):
    """A zip that cannot make ``zipfile`` read a list of files as large as itself."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > LARGEST_READ:
            raise zipfile.BadZipFile("its list of files is too long")
        return super().read(size)


def in_zip(path: Path) -> Iterator[Found]:
    """Yield the files of a zip; links are left out. Raise BadZipFile, and whatever ``zipfile`` does."""
    if path.stat().st_size > LARGEST_ZIP:
        raise zipfile.BadZipFile(f"larger than {LARGEST_ZIP >> 20} MB")
    with _ZipFile(path) as file, zipfile.ZipFile(file) as archive:
        for info in sorted(archive.infolist(), key=lambda info: platforms.is_numbered(info.filename)):
            if info.is_dir() or (info.external_attr >> 16) & 0o170000 not in (0, 0o100000):
                continue
            load = functools.partial(_load, info.file_size, archive.open, info)
            yield info.filename, info.file_size, load if info.compress_type in BOUNDED else None


def names_in_zip(path: Path) -> list[str]:
    """Return the names in a zip. Raise BadZipFile, and whatever ``zipfile`` does."""
    with _ZipFile(path) as file, zipfile.ZipFile(file) as archive:
        return archive.namelist()[:MOST_ENTRIES]


def _load(size: int, opener: Callable[..., IO[bytes]], *what: Any) -> bytes:
    data = bytearray()
    with opener(*what) as opened:
        while len(data) <= size and (piece := opened.read(LARGEST_READ)):  # a file may grow meanwhile
            data += piece
    return bytes(data)


def unpack_download(path: Path, folder: Path) -> list[str]:
    """Unpack a platform's zip of all hand-ins; return a line about each file that was left out. Raise BadZipFile."""
    problems = []
    try:
        opened = zipfile.ZipFile(path)
    except (NotImplementedError, UnicodeDecodeError) as error:  # of a damaged list of files
        raise zipfile.BadZipFile(error) from error
    with opened as archive:
        entries = [one for one in archive.infolist() if one.filename]
        if len(entries) > MOST_ENTRIES or sum(one.file_size for one in entries) > LARGEST_DOWNLOAD:
            most = f"{MOST_ENTRIES} files or {LARGEST_DOWNLOAD >> 30} GB"
            raise zipfile.BadZipFile(f"it holds more than {most}")
        for one in entries:
            try:
                if one.compress_type not in BOUNDED:
                    raise zipfile.BadZipFile("neither stored nor deflated")
                if one.file_size > LARGEST_ZIP:
                    raise zipfile.BadZipFile(f"larger than {LARGEST_ZIP >> 20} MB")
                archive.extract(one, folder)  # never outside: zipfile takes .. and / out of names
            except Exception as error:  # zlib.error, struct.error, ...: a damaged zip raises many kinds
                problems.append(f"{one.filename[:LONGEST_REMARK]} was left out: {error!s:.{LONGEST_REMARK}}")
    return problems
