"""``python3 lab report`` in a real browser."""

import re
import shutil

import pytest

from lab.commands import report
from lab.dissect.files.capture_file import CaptureError, CaptureWriter
from lab.exposure import Intercept, Message
from tests.browser import BROWSER, browser, needs_browser
from tests.dissect import links, packets
from tests.support import CAPTURES, ROOT, some_of

CHAT = ROOT / "captures" / "chat"


@pytest.fixture(scope="module")
def tab(tmp_path_factory, once):
    """The page about the shipped pair, open on a phone in the dark."""
    if BROWSER is None:
        pytest.skip("no Chromium is installed")
    pair = [CHAT / "plain.pcapng", CHAT / "tls13.pcapng"]
    folder = once("report-page", lambda folder: report.write_page(pair, folder / "report.html"))
    with browser(tmp_path_factory.mktemp("report") / "profile") as tab:
        for domain in ("Page", "Network", "Log", "Runtime"):
            tab.call(f"{domain}.enable")
        tab.call(
            "Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True
        )
        tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        tab.call("Page.navigate", url=(folder / "report.html").as_uri())
        tab.wait_for("Page.loadEventFired")
        yield tab


@needs_browser
def test_nothing_is_asked_of_any_network(tab):
    asked = [
        event["params"]["request"]["url"]
        for event in tab.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked
    assert all(url.startswith(("file:", "data:")) for url in asked)


@needs_browser
def test_the_console_is_silent(tab):
    tab.value("1")
    spoken = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
    assert not [event for event in tab.events if event["method"] in spoken]


@needs_browser
def test_it_fits_a_phone(tab):
    assert tab.value("document.documentElement.scrollWidth") <= 390
    smallest = """Math.min(...[...document.querySelectorAll('p, td, th, figcaption, h1, h2, summary')]
                  .map(element => parseFloat(getComputedStyle(element).fontSize)))"""
    assert tab.value(smallest) >= 12


@needs_browser
def test_it_is_dark_in_the_dark_and_still_readable(tab):
    def luminance(colour: str) -> float:
        """WCAG 2.2, relative luminance."""
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    paper = luminance(tab.value("getComputedStyle(document.body).backgroundColor"))
    assert paper < 0.05
    for selector in ("body", "figcaption", "td.read", "td.hidden"):
        ink = luminance(tab.value(f"getComputedStyle(document.querySelector('{selector}')).color"))
        assert (ink + 0.05) / (paper + 0.05) >= 4.5, selector


@needs_browser
def test_the_pictures_are_there_with_their_words(tab):
    pictures = "[...document.images].map(image => [image.naturalWidth, image.alt.length])"
    shown = tab.value(pictures)
    assert len(shown) == 3 and all(width > 500 and words > 100 for width, words in shown)


def test_what_was_said_stands_in_the_plaintext_part_alone():
    made = report.make_page([CHAT / "plain.pcapng"])
    assert "the door code is" in made
    assert "the door code is" not in report.make_page([CHAT / "tls13.pcapng"])


@pytest.mark.records
def test_text_from_the_wire_cannot_become_markup(tmp_path):
    """A name and a line that are HTML and terminal escapes at once, over a real connection."""
    import socket
    import threading

    from lab.harness.tap import Tap

    listener = socket.create_server(("127.0.0.1", 0))

    def swallow():
        connection, _ = listener.accept()
        while connection.recv(1024):
            connection.sendall(b".")
        connection.close()

    server = threading.Thread(target=swallow)
    server.start()
    with Tap(tmp_path / "x.pcapng", listener.getsockname()[1]):
        with socket.create_connection(listener.getsockname()) as client:
            for line in (b"<script>alert(1)</script>", b"\x1b[31m<img src=//x onerror=y>"):
                client.sendall(line)
                client.recv(1)
        server.join()
    made = report.make_page([tmp_path / "x.pcapng"])
    assert "<script" not in made and "<img src=//x" not in made and "\x1b" not in made
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made


@pytest.mark.parametrize(
    "path", some_of(sorted(CAPTURES.glob("[!dm]*/*.pcapng")), every=6), ids=lambda path: path.name
)
def test_every_shipped_capture_has_a_page(path):
    assert "<h2>" in report.make_page([path])


def test_what_was_not_looked_into_is_said(tmp_path):
    made = packets.pcap(
        [(i, frame, len(frame)) for i, (link, _, frame) in enumerate(links.not_read()) if link == 1]
    )
    (tmp_path / "odd.pcap").write_bytes(made)
    assert "<td>not looked into</td><td>3 fragments, 2 frames of GRE, " in report.make_page(
        [tmp_path / "odd.pcap"]
    )
    assert "not looked into" not in report.make_page([CHAT / "plain.pcapng"])


def test_a_capture_without_manifest_is_not_scored(tmp_path):
    shutil.copy(CHAT / "plain.pcapng", tmp_path / "mine.pcapng")
    made = report.make_page([tmp_path / "mine.pcapng"])
    assert "nothing is scored" in made and "How much of the conversation?" not in made


def test_a_capture_that_has_changed_is_not_scored_by_the_old_manifest(tmp_path):
    shutil.copy(CHAT / "manifest.json", tmp_path)
    (tmp_path / "plain.pcapng").write_bytes((CHAT / "tls13.pcapng").read_bytes()[:-64])
    assert report.manifest_entry(tmp_path / "plain.pcapng") is None


def test_a_capture_that_was_cut_off_is_said_to_be_so(tmp_path, capsys):
    whole = (CHAT / "plain.pcapng").read_bytes()
    (tmp_path / "cut.pcapng").write_bytes(whole[:-50])
    assert report.main([str(tmp_path / "cut.pcapng"), "-o", str(tmp_path / "r.html")]) == 0
    assert "ends in the middle of a block" in capsys.readouterr().err
    (tmp_path / "cut.pcapng").write_bytes(whole[:40])
    assert report.main([str(tmp_path / "cut.pcapng"), "-o", str(tmp_path / "none.html")]) == 2
    assert "no whole frame" in capsys.readouterr().err and not (tmp_path / "none.html").exists()


@pytest.mark.parametrize("content", [b"", b"not a capture"])
def test_what_is_no_capture_gets_one_line(tmp_path, capsys, content):
    (tmp_path / "bad.pcapng").write_bytes(content)
    assert report.main([str(tmp_path / "bad.pcapng"), "-o", str(tmp_path / "r.html")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "r.html").exists()
    with pytest.raises(CaptureError):
        report.make_page([tmp_path / "bad.pcapng"])
    assert report.main([str(tmp_path / "none.pcapng")]) == 2


def test_the_page_begins_with_the_finding():
    made = report.make_page([CHAT / "plain.pcapng", CHAT / "tls13.pcapng"])
    _, _, after = made.partition("</h1>")
    assert after.startswith(
        "<p><strong>From plain.pcapng, an eavesdropper reads 18 of 18 lines. "
        "From tls13.pcapng, an eavesdropper counts 18 lines and reads none.</strong></p>"
    )


def test_one_is_singular_and_more_are_plural(tmp_path):
    made = report.make_page([CHAT / "plain.pcapng"])
    assert " segments in 3 flows</td>" in made and " bytes read</td>" in made
    with CaptureWriter(tmp_path / "empty.pcapng") as writer:
        writer.add_interface("lo")
    assert "<td>0 segments in 0 flows</td>" in report.make_page([tmp_path / "empty.pcapng"])
    assert report.finding("x", Intercept([Message(1, 0, "a:1", "say", 2, b"hi", text="hi")])).endswith(
        "1 of 1 line."
    )
