"""The explorer in a notebook.

It is a widget with the page's script; where ``anywidget`` is missing, it is the page in a frame. In JupyterLab nothing
is fetched from outside. Visual Studio Code fetches its own code for widgets; it was not tested.
"""

import json
from os import PathLike
from pathlib import Path
from typing import Any

import markupsafe

from lab.explorer.data import captures_data, read_source
from lab.explorer.page import explorer_page, join_modules, read_style

FRAME = markupsafe.Markup(
    '<p><iframe srcdoc="{}" title="{}" style="width: 100%; height: 50rem"></iframe></p>'
)
LINK = markupsafe.Markup('<p><a href="{}">The explorer of {}</a></p>')


def explore(
    *captures: str | PathLike[str], keys: str | PathLike[str] | None = None, frame: int = 1
) -> object:
    """Return an explorer of one capture or two, for a notebook to display, with a frame selected.

    With a TLS key log, ``keys``, it opens locked, but holds in plaintext whatever the keys open. Raises CaptureError
    or OSError.
    """
    paths, key_logs = [Path(one) for one in captures], (Path(keys).read_bytes(),) if keys else ()
    try:
        import anywidget
        import traitlets
    except ImportError:
        from IPython.display import HTML

        page, _ = explorer_page([(path, None) for path in paths], key_logs)
        return HTML(FRAME.format(page, "The explorer of " + " and ".join(path.name for path in paths)))

    class Explorer(anywidget.AnyWidget):
        _esm = join_modules("widget.js")
        captures = traitlets.Unicode().tag(sync=True)
        style_sheet = traitlets.Unicode().tag(sync=True)
        frame = traitlets.Int().tag(sync=True)

        def _repr_mimebundle_(self, **options: Any) -> Any:
            """Add links, for a page that cannot run a widget."""
            links = "".join(LINK.format(path.as_posix(), path.name) for path in paths)
            bundle: Any = super()._repr_mimebundle_(**options)
            return bundle[0] | {"text/html": links}, *bundle[1:]

    data = captures_data([(read_source(path), path.name) for path in paths], key_logs)
    return Explorer(captures=json.dumps(data), style_sheet=read_style(), frame=frame)
