"""What every program of the kit runs first, whether started by path (``python lab/server.py``) or by ``-m``.

Python puts the folder of the script first on its search path. For these programs that is ``lab`` itself, whose modules
would then be importable under two names, so the checkout takes its place. Characters that the terminal's encoding lacks
are escaped instead of ending the program, and Ctrl-C ends it without a traceback, also during the imports.
"""

import sys
from pathlib import Path
from types import TracebackType

LAB = Path(__file__).resolve().parents[1]

if sys.path and Path(sys.path[0] or ".").resolve() == LAB:
    sys.path[0] = str(LAB.parent)
if sys.version_info < (3, 10):
    sys.exit("The kit needs Python 3.10 or later; this is Python " + sys.version.split()[0] + ".")
for stream in (sys.stdout, sys.stderr):
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")


def report_error(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = report_error
