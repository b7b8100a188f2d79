"""``python3 lab notebooks``: open JupyterLab on the whole kit.

So a notebook can open the sheet that it links to. Its settings are in ``lab/jupyterlab``: no news and no check for
updates, hence no pop-up.
"""

from lab.commands import command_line
from lab.setup.paths import ROOT

SETTINGS = [
    f"--ServerApp.root_dir={ROOT}",
    "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb",
    f"--LabApp.app_settings_dir={ROOT / 'lab' / 'jupyterlab'}",
    "--LabApp.extension_manager=readonly",  # the other one asks a package index
]


def main(argv: list[str] | None = None) -> int:
    parser = command_line("notebooks", "Open the notebooks in JupyterLab; other options are passed on to it.")
    _, jupyter_arguments = parser.parse_known_args(argv)
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance([*SETTINGS, *jupyter_arguments])
    return 0
