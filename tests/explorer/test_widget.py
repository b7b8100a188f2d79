"""``explorer.explore``: the explorer of a notebook; tests/test_jupyterlab.py shows it in JupyterLab."""

import json
import sys

import pytest

from lab import explorer
from tests.explorer.pages import write_capture
from tests.support import CHAT

HOSTILE = b'"></iframe><script>window.caught = 1</script>'


@pytest.fixture
def without_anywidget(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)


def test_it_holds_the_captures_and_links_for_pages_without_a_script():
    widget = explorer.explore(CHAT / "plain.pcapng", CHAT / "tls13.pcapng", keys=CHAT / "tls13.keys", frame=4)
    names = [one["name"] for one in json.loads(widget.captures)]
    assert names == ["plain.pcapng", "tls13.pcapng"] and widget.frame == 4
    shown = widget._repr_mimebundle_()[0]
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert f'<a href="{(CHAT / "plain.pcapng").as_posix()}">' in shown["text/html"]


def test_keys_that_open_nothing_are_noted():
    widget = explorer.explore(CHAT / "tls13.pcapng", keys=CHAT / "tls12.keys")
    assert "the keys open nothing" in json.loads(widget.captures)[0]["notes"]


def test_without_anywidget_the_page_stands_in_a_frame(without_anywidget, tab, tmp_path):
    write_capture(tmp_path / "hostile.pcap", [b"hello", HOSTILE])
    html = explorer.explore(tmp_path / "hostile.pcap").data
    (tmp_path / "notebook.html").write_text(f"<!doctype html><meta charset=utf-8>{html}", encoding="utf-8")
    tab.goto((tmp_path / "notebook.html").as_uri())
    frame = tab.frame_locator("iframe")
    frame.locator("[data-frame='2']").click()
    assert HOSTILE.decode() in frame.locator(".frames").inner_text()
    frame.locator("[data-view=streams]").click()
    assert frame.locator(".voice").count() == 2
    assert tab.evaluate("[window.caught, frames[0].caught]") == [None, None]
