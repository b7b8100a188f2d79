"""``python3 lab report``: the page as text; tests/explorer opens it in a browser."""

import functools
import re
import shutil

import pytest

from lab.commands import report
from lab.dissect.files.capture_file import CaptureError, CaptureWriter
from lab.explorer.page import explorer_page
from lab.explorer.summary import finding
from lab.exposure.intercept import Intercept, Message
from tests.dissect import links, packets
from tests.support import CAPTURES, ROOT, some_of

CHAT = ROOT / "captures" / "chat"


@functools.cache
def page_of(*paths) -> str:
    return explorer_page([(path, report.manifest_entry(path)) for path in paths])[0]


def test_what_was_said_stands_in_the_plaintext_part_alone():
    made = page_of(CHAT / "plain.pcapng")
    assert "the door code is" in made
    assert "the door code is" not in page_of(CHAT / "tls13.pcapng")


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
    made = page_of(tmp_path / "x.pcapng")
    assert "<script>alert" not in made and "<img src=//x" not in made and "\x1b" not in made
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made


@pytest.mark.parametrize(
    "path", some_of(sorted(CAPTURES.glob("[!dm]*/*.pcapng")), every=20), ids=lambda path: path.name
)
def test_every_shipped_capture_has_a_page(path):
    assert "<h2>" in page_of(path)


def test_what_was_not_looked_into_is_said(tmp_path):
    made = packets.pcap(
        [(i, frame, len(frame)) for i, (link, _, frame) in enumerate(links.not_read()) if link == 1]
    )
    (tmp_path / "odd.pcap").write_bytes(made)
    assert '<th scope="row">not looked into</th><td>3 fragments, 2 frames of GRE, ' in page_of(
        tmp_path / "odd.pcap"
    )
    assert "not looked into" not in page_of(CHAT / "plain.pcapng")


def test_a_capture_without_manifest_is_not_scored(tmp_path):
    shutil.copy(CHAT / "plain.pcapng", tmp_path / "mine.pcapng")
    made = page_of(tmp_path / "mine.pcapng")
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
        page_of(tmp_path / "bad.pcapng")
    assert report.main([str(tmp_path / "none.pcapng")]) == 2


def test_the_page_begins_with_the_finding():
    made = page_of(CHAT / "plain.pcapng", CHAT / "tls13.pcapng")
    _, _, after = made.partition("</h1>")
    assert after.lstrip().startswith(
        "<p><strong>From plain.pcapng, an eavesdropper reads 18 of 18 lines. "
        "From tls13.pcapng, an eavesdropper counts 18 lines and reads none.</strong></p>"
    )


def test_one_is_singular_and_more_are_plural(tmp_path):
    made = page_of(CHAT / "plain.pcapng")
    assert " segments in 3 flows</td>" in made and " bytes read</td>" in made
    with CaptureWriter(tmp_path / "empty.pcapng") as writer:
        writer.add_interface("lo")
    assert "<td>0 segments in 0 flows</td>" in page_of(tmp_path / "empty.pcapng")
    assert finding("x", Intercept([Message(1, 0, "a:1", "say", 2, b"hi", text="hi")])).endswith(
        "1 of 1 line."
    )


def test_a_file_that_is_read_is_never_written(tmp_path, capsys):
    shutil.copy(CHAT / "plain.pcapng", tmp_path / "x.pcapng")
    before = (tmp_path / "x.pcapng").read_bytes()
    assert report.main([str(tmp_path / "x.pcapng"), "-o", str(tmp_path / "x.pcapng")]) == 2
    assert "choose another --out" in capsys.readouterr().err
    assert (tmp_path / "x.pcapng").read_bytes() == before


def test_keys_that_open_nothing_are_noted(tmp_path, capsys):
    page = tmp_path / "page.html"
    options = ["--keys", str(CHAT / "tls12.keys"), "-o", str(page)]
    assert report.main([str(CHAT / "tls13.pcapng"), *options]) == 0
    assert "tls13.pcapng: the keys open nothing" in capsys.readouterr().err
    assert "the keys open nothing" in page.read_text(encoding="utf-8")
    assert report.main([str(CHAT / "plain.pcapng"), str(CHAT / "tls12.pcapng"), *options]) == 0
    assert "the keys open nothing" not in capsys.readouterr().err


def test_a_file_of_keys_that_is_not_a_key_log_is_refused(tmp_path, capsys):
    page, keys = tmp_path / "page.html", CHAT / "plain.pcapng"
    assert report.main([str(CHAT / "tls12.pcapng"), "--keys", str(keys), "-o", str(page)]) == 2
    assert capsys.readouterr().err == f"lab report: {keys}: this is not a key log\n" and not page.exists()


def test_what_was_recovered_and_the_bits_of_a_better_guess_are_both_on_the_page():
    made = page_of(CHAT / "tls13.pcapng")
    assert re.search(r"content <.*?>0 %<.*?>0 of 17<.*? bits a line \(95 %", made, re.DOTALL)
