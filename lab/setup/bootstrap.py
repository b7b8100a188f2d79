"""Prepare every program of the kit: ``python lab/server.py``, ``python3 lab`` and ``python -m lab``.

Python puts the folder of the script it runs first on its search path. For these programs that is ``lab`` itself, whose
modules would then be importable twice under two names: the checkout is put there instead. Output that the terminal's
encoding has no letters for is escaped instead of ending the program, and Ctrl-C, also during the imports, ends it without a
traceback.
"""

import sys
from pathlib import Path

LAB = Path(__file__).resolve().parents[1]

if sys.path and Path(sys.path[0] or ".").resolve() == LAB:
    sys.path[0] = str(LAB.parent)
if sys.version_info < (3, 10):
    sys.exit("The kit needs Python 3.10 or later; this is Python " + sys.version.split()[0] + ".")
for stream in (sys.stdout, sys.stderr):
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")


def report_error(kind, error, traceback) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = report_error
