"""``python3 lab notebooks``: JupyterLab in the folder of the notebooks, with the Python that has the packages."""

import argparse
import subprocess
import sys

from lab.environment import ROOT


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lab notebooks", description="Open the notebooks in JupyterLab.")
    _, jupyter_arguments = parser.parse_known_args(argv)
    command = [sys.executable, "-m", "jupyter", "lab", "--notebook-dir", str(ROOT / "notebooks"), *jupyter_arguments]
    return subprocess.call(command)
