"""``python3 lab notebooks``: JupyterLab in the folder of the notebooks, with the Python that has the packages."""

import argparse

from lab.environment import ROOT


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="lab notebooks", description="Open the notebooks in JupyterLab; other options are handed to it."
    )
    _, jupyter_arguments = parser.parse_known_args(argv)
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance([f"--notebook-dir={ROOT / 'notebooks'}", *jupyter_arguments])
    return 0
