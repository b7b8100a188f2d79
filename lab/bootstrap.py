"""Make ``lab`` importable, however a program of the kit was started: ``python lab/server.py``, ``python3 lab``.

Python puts the folder of the script it runs first on its search path. For these programs that is ``lab`` itself, whose
modules would then be importable twice under two names. So importing this module puts the checkout there instead.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

if sys.path and Path(sys.path[0] or ".").resolve() == HERE:
    sys.path[0] = str(HERE.parent)
if sys.version_info < (3, 10):
    sys.exit("The kit needs Python 3.10 or later; this is Python " + sys.version.split()[0] + ".")
