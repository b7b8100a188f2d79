"""Check every chart that is found, and follow the recipe for adding one word for word."""

import inspect
import re
import subprocess
import textwrap
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from matplotlib.axes import Axes

from lab import charts
from lab.charts import find_charts, new_axes
from lab.exposure import Score
from tests.charts.looks import inspect_text, page_of
from tests.support import ROOT, as_typed, copy_kit

OPTION = inspect.Parameter.KEYWORD_ONLY
RECIPE = re.compile(r"^### Add a chart$(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def examples(lossy, prices):
    """Return data by the name of a chart's parameter: a chart about something else adds its own here."""
    return {
        "flow": lossy,
        "scores": {"plaintext": [Score("content", 3, 0, 3)], "TLS 1.3": [Score("content", 0, 1, 3)]},
        "prices": prices,
        "payload": b"<Brandon> hello",
        "streams": {"plaintext": b"hello", "few": b"abc"},
        "true_lengths": [5, 17, 3],
        "inferred_lengths": {"TLS 1.3": [5, 32, None]},
    }


@pytest.fixture(params=find_charts())
def chart(request):
    name = request.param
    draw, describe = (getattr(charts, f"{kind}_{name}") for kind in ("draw", "describe"))
    return SimpleNamespace(name=name, draw=draw, describe=describe)


@pytest.fixture
def data(chart, examples):
    """One example for each parameter of the chart that has no default."""
    parameters = inspect.signature(chart.draw).parameters.values()
    return [examples[parameter.name] for parameter in parameters if parameter.default is parameter.empty]


def test_the_charts_are_found():
    assert set(find_charts()) >= {
        "byte_strip", "cures", "entropy", "exposure", "in_flight", "ladder", "length_leak", "round_trips", "time_sequence",
    }  # fmt: skip
    with pytest.raises(AttributeError, match="draw_figure"):
        charts.draw_figure  # noqa: B018
    with pytest.raises(ImportError, match="describe_nothing"):
        from lab.charts import describe_nothing  # noqa: F401


def test_it_is_imported_from_the_room(chart):
    module = import_module(f"lab.charts.{chart.name}")
    assert getattr(module, f"draw_{chart.name}") is chart.draw
    assert getattr(module, f"describe_{chart.name}") is chart.describe
    assert {f"draw_{chart.name}", f"describe_{chart.name}"} <= set(dir(charts))


def test_it_has_the_shape_of_a_chart(chart):
    """Data first, options by keyword, ``ax=None`` at the end; the twin takes the same data."""
    drawn, words = (list(inspect.signature(one).parameters.values()) for one in (chart.draw, chart.describe))
    assert drawn[-1].name == "ax" and drawn[-1].default is None
    assert [one.name for one in drawn if one.kind is not OPTION] == [
        one.name for one in words if one.kind is not OPTION
    ]
    assert {one.name for one in words} <= {one.name for one in drawn}
    assert all(one.default is not one.empty for one in drawn if one.kind is OPTION)
    assert inspect.getdoc(chart.draw) and inspect.getdoc(chart.describe)


def test_it_is_readable_and_draws_where_it_is_asked_to(chart, data):
    drawn = chart.draw(*data)
    assert isinstance(drawn, Axes) and drawn.has_data()
    assert inspect_text(drawn) == []
    ax = new_axes(12, 9)
    assert chart.draw(*data, ax=ax) is ax


def test_its_twin_says_the_same_in_words(chart, data):
    assert len(chart.describe(*data).split()) >= 5


def test_it_stands_beside_another(chart, data):
    one = partial(chart.draw, *data)
    assert inspect_text(page_of([one, one])) == []


@pytest.mark.maintainers
@pytest.mark.skipif(not (ROOT / "lab" / "README.md").exists(), reason="the guide is not in this copy")
@pytest.mark.timeout(400)
def test_the_recipe_adds_a_chart(tmp_path):
    """Follow lab/README.md, "Add a chart", in a copy of the kit: its file, then its commands."""
    [recipe] = RECIPE.findall((ROOT / "lab" / "README.md").read_text(encoding="utf-8"))
    [path] = re.findall(r"module, here `(lab/charts/\w+\.py)`", recipe)
    [module] = re.findall(r"```python\n(.*?) *```", recipe, re.DOTALL)
    commands = "".join(re.findall(r"```sh\n(.*?) *```", recipe, re.DOTALL))
    kit = copy_kit(tmp_path)
    assert not (kit / path).exists()
    (kit / path).write_text(textwrap.dedent(module), encoding="utf-8")
    name = Path(path).stem
    for command in textwrap.dedent(commands).splitlines():
        done = subprocess.run(as_typed(command), cwd=kit, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, done.stdout + done.stderr
        assert name in done.stdout  # found by the tests, and drawn
    assert (kit / f"{name}.png").read_bytes().startswith(b"\x89PNG")
