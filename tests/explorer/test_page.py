"""The page in a browser: keys, views, tour, unlocking, links; readable by everyone; inert against hostile captures."""

import json
import re

import pytest

from lab.dissect import read_capture
from tests.browser import axe_findings
from tests.explorer.pages import HOSTILE, data_of, page_about, write_capture
from tests.support import CAPTURES, only

CHAT = CAPTURES / "chat"
PLAIN, TLS = CHAT / "plain.pcapng", CHAT / "tls13.pcapng"
KEYS = CHAT / "tls13.keys"


def chosen(tab) -> int:
    return int(tab.get_attribute("[data-frame][aria-selected=true]", "data-frame"))


def test_a_frame_is_chosen_by_keyboard_and_its_bytes_answer(open_page):
    tab = open_page(PLAIN)
    tab.focus(".frames")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown"):
        tab.keyboard.press(key)
    assert chosen(tab) == 4
    tab.wait_for_url("**#frame-4")
    tab.keyboard.press("End")
    assert chosen(tab) == len(read_capture(PLAIN))
    tab.keyboard.press("Home")
    tab.keyboard.press("b")
    tab.keyboard.press("Home")
    for _ in range(14):
        tab.keyboard.press("ArrowRight")
    assert tab.locator(".byte[aria-selected=true]").evaluate_all(
        "cells => cells.map(cell => cell.dataset.byte)"
    ) == ["14"]
    said = tab.inner_text(".meaning")
    assert (
        "IPv4 › Version" in said
        and "0100 ...." in said
        and "Also in this byte: Header length" in said.replace("\n", " ")
    )
    link = tab.get_attribute(".meaning a", "href")
    assert link == "https://www.rfc-editor.org/rfc/rfc791#section-3.1"


def test_a_field_lights_its_bytes(open_page):
    tab = open_page(PLAIN, fragment="#frame-4")
    tab.locator(".tree li", has_text="Destination port").click()
    lit = tab.locator(".byte[aria-selected=true]").evaluate_all(
        "cells => cells.map(cell => cell.textContent)"
    )
    assert lit == ["26", "aa"]  # 9898
    assert tab.inner_text(".meaning .place").startswith("bytes 36 to 37")


def test_the_texts_of_all_rows_begin_in_one_column(open_page):
    tab = open_page(PLAIN)
    for width in range(1200, 1320, 20):
        tab.set_viewport_size({"width": width, "height": 800})
        left = "all => all.map(text => text.getBoundingClientRect().left)"
        assert len(set(tab.locator(".bytes .text").evaluate_all(left))) == 1, width


def test_a_link_leads_to_a_frame_and_to_a_filter(open_page):
    tab = open_page(PLAIN, fragment="#frame-28")
    assert chosen(tab) == 28
    tab.evaluate("location.hash = '#filter-tcp.flags.syn%20%3D%3D%201'")
    tab.wait_for_function("document.querySelector('#filter').value === 'tcp.flags.syn == 1'")
    assert tab.inner_text("#filter-answer") == "6 of 150 frames"
    tab.locator(".examples summary").click()
    tab.get_by_role("button", name="tcp.len > 0", exact=True).click()
    assert tab.input_value("#filter") == "tcp.len > 0"


def test_locked_until_the_button_is_pressed(open_page):
    tab = open_page(TLS, keys=KEYS)
    hello = 'chat.text contains "hello"'
    tab.fill("#filter", hello)
    assert tab.inner_text("#filter-answer").startswith("0 of")
    tab.click(".lock")
    assert int(tab.inner_text("#filter-answer").split()[0]) >= 2
    tab.locator("[data-frame]").first.click()
    tab.locator(".tabs button").nth(1).click()
    assert "hello" in tab.inner_text(".tree") and "Content type" in tab.inner_text(".tree")
    tab.click(".lock")
    assert tab.inner_text("#filter-answer").startswith("0 of")
    assert not open_page(TLS).locator(".lock").is_visible()  # without keys there is nothing to unlock


def test_it_is_seen_that_records_are_opened_and_what_is_said_stays_true(open_page):
    tab = open_page(PLAIN, TLS, keys=KEYS)
    tab.get_by_role("button", name="tls13", exact=False).first.click()
    row = "[data-frame]:has-text('<Brandon> hello')"
    tab.fill("#filter", "tls.record.opaque_type == 23")
    assert tab.locator(row).count() == 0 and tab.inner_text(".note") == ""
    tab.click(".lock")
    assert "[opened: <Brandon> hello] Record: Application Data" in tab.locator(row).first.inner_text()
    server = tab.locator("[data-frame]", has_text="Server Hello").first.inner_text()
    assert "[opened: Encrypted Extensions, Certificate" in server
    assert re.fullmatch(r"Unlocked: the keys open \d+ records of tls13.pcapng.", tab.inner_text(".note"))
    tab.get_by_role("button", name="plain", exact=False).first.click()
    assert "tls13.pcapng" in tab.inner_text(".note"), "also beside the other recording"
    tab.click("[data-view=twin]")
    first = tab.locator(".twin tbody tr").first
    assert "opened: hello" in first.inner_text() and "hidden" not in tab.inner_text(".twin")
    tab.click(".lock")
    assert "hidden: 5 bytes" in first.inner_text() and tab.inner_text(".note") == ""
    assert "cannot be read without the keys" in json.dumps(data_of(TLS)["tour"])


def test_a_stream_is_two_voices_and_each_knows_its_frame(open_page):
    tab = open_page(PLAIN)
    tab.click("[data-view=streams]")
    assert tab.locator(".voice.way-0").first.inner_text().split("\n")[-1].endswith("Brandon")
    tab.locator(".voice", has_text="<Brandon> hello").get_by_role("button").click()
    assert chosen(tab) == 29


def test_gaps_and_repetitions_are_said(open_page):
    tab = open_page(CAPTURES / "lessons" / "loss-at-the-sender.pcapng")
    tab.click("[data-view=streams]")
    assert "bytes left out (duplicate)" in tab.inner_text(".stream")
    tab.click("[data-view=frames]")
    tab.fill("#filter", "tcp.analysis.retransmission")
    assert "retransmission" in tab.locator("[data-frame]").first.inner_text()


def test_both_recordings_show_where_a_line_went(open_page):
    tab = open_page(PLAIN, TLS)
    tab.click("[data-view=twin]")
    rows = tab.locator(".twin tbody tr")
    assert rows.count() == 18
    assert "hello" in rows.first.inner_text() and "hidden: 5 bytes" in rows.first.inner_text()
    rows.first.locator("td").nth(1).get_by_role("button").first.click()
    assert tab.get_attribute(".files button >> nth=1", "aria-pressed") == "true"
    assert "TLS" in tab.inner_text("[data-frame][aria-selected=true]")


def test_the_tour_walks_by_keyboard_from_the_handshake_to_the_end(open_page):
    tab = open_page(PLAIN)
    titles, frames = [], []
    tab.keyboard.press("n")
    while len(titles) < 20:
        titles.append(tab.inner_text(".tour h2"))
        frames.append(chosen(tab))
        if tab.get_by_role("button", name="Next (n)").is_disabled():
            break
        tab.keyboard.press("n")
    assert "SYN" in titles[0] and frames[:3] == [1, 2, 3] and "The end" in titles[-1]
    assert any("first words" in title for title in titles)
    tab.keyboard.press("p")
    assert tab.inner_text(".tour h2") == titles[-2]
    tab.keyboard.press("l")
    assert tab.evaluate("parseFloat(getComputedStyle(document.querySelector('.explorer')).fontSize)") > 20
    tab.keyboard.press("?")
    assert tab.locator("dialog[open]").is_visible()


def test_the_buttons_of_the_tour_keep_the_focus(open_page):
    tab = open_page(PLAIN)
    tab.get_by_role("button", name="Tour").click()
    following = tab.get_by_role("button", name="Next (n)")
    following.focus()
    for _ in range(20):
        tab.keyboard.press("Enter")
        assert following.evaluate("button => button === document.activeElement")
    assert "The end" in tab.inner_text(".tour h2") and following.is_disabled()


def test_the_choice_of_a_stream_keeps_the_focus(open_page):
    tab = open_page(PLAIN)
    tab.click("[data-view=streams]")
    tab.focus("#flow")
    tab.keyboard.press("ArrowDown")
    assert tab.evaluate("document.activeElement.value") == "1"
    assert tab.locator(".voice.way-0").first.inner_text().split("\n")[-1].endswith("John")


def test_keys_of_one_character_can_be_switched_off(open_page):
    tab = open_page(PLAIN)
    tab.keyboard.press("?")
    tab.get_by_label("Keys of one character are on").uncheck()
    tab.get_by_role("button", name="Close").click()
    tab.locator("h1").click()
    for look in (lambda: None, tab.reload):  # it is remembered
        look()
        for key in "nl?":
            tab.keyboard.press(key)
        assert tab.locator(".tour").is_hidden() and tab.locator("dialog[open]").count() == 0
    tab.get_by_role("button", name="Keys (?)").click()
    tab.get_by_label("Keys of one character are on").check()
    tab.get_by_role("button", name="Close").click()
    tab.locator("h1").click()
    tab.keyboard.press("n")
    assert tab.locator(".tour").is_visible()


def test_a_long_frame_is_shown_in_pieces(open_page, tmp_path):
    payload = bytes(range(256)) * 20
    write_capture(tmp_path / "long.pcap", [payload])
    tab, byte = open_page(tmp_path / "long.pcap"), len(payload) + 54 - 1
    cells = tab.locator("[data-byte]")
    assert cells.count() == 2048 and "Bytes 0 to 2047 of 5174." in tab.inner_text(".pieces")
    tab.get_by_role("button", name="Later bytes").click()
    assert cells.first.get_attribute("data-byte") == "2048" and cells.count() == 2048
    tab.keyboard.press("End")
    assert tab.inner_text(f"[data-byte='{byte}']") == "ff" and cells.count() == 5174 - 4096
    tab.keyboard.press("Home")
    assert cells.first.get_attribute("data-byte") == "0"


def test_a_page_without_keys_has_all_that_a_locked_one_has(open_page):
    shown = {}
    for keys in (None, KEYS):
        tab = open_page(TLS, keys=keys)
        tab.fill("#filter", "tcp.len > 0")
        frames, found = tab.inner_text(".frames .rows"), tab.inner_text("#filter-answer")
        tab.locator("[data-frame]").nth(2).click()
        tab.locator(".tree").press("*")
        detail = tab.inner_text(".tree"), tab.inner_text(".meaning")
        tab.click("[data-view=streams]")
        shown[keys] = frames, found, detail, tab.inner_text(".stream"), tab.locator(".lock").count()
    assert shown[None] == shown[KEYS]


def test_only_the_rows_in_view_exist(open_page, tmp_path):
    path = tmp_path / "many.pcap"
    write_capture(path, [b"x"] * 3000)
    tab = open_page(path)
    assert tab.locator("[data-frame]").count() < 60
    tab.focus(".frames")
    tab.keyboard.press("End")
    assert chosen(tab) == 3000


@pytest.mark.parametrize("scheme", only(["light", "dark"], "light"))
def test_axe_finds_nothing(open_page, scheme):
    tab = open_page(PLAIN, TLS, keys=KEYS)
    tab.emulate_media(color_scheme=scheme)
    for view in ("frames", "streams", "twin", "summary"):
        tab.click(f"[data-view={view}]")
        assert axe_findings(tab) == [], view


@pytest.mark.parametrize("width", only([320, 390], 320))
def test_it_fits_a_narrow_screen(open_page, width):
    tab = open_page(PLAIN, TLS)
    tab.set_viewport_size({"width": width, "height": 800})
    for view in ("frames", "streams", "twin", "summary"):
        tab.click(f"[data-view={view}]")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, view
    assert axe_findings(tab) == [], "the summary's tables can be scrolled by keyboard"


def test_without_a_script_the_summary_is_there(chromium, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page_about((PLAIN,), None), encoding="utf-8")
    with chromium.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(path.as_uri())
        assert tab.locator("#summary").is_visible() and not tab.locator("#explorer").is_visible()
        assert "The handshake" in tab.inner_text("#summary")
        arrows = tab.locator(".hop").all_inner_texts()
        assert " ".join(arrows[1].split()) == "to the initiator: SYN, ACK seq 0 ack 1 len 0"
        assert "segments left out" in arrows[16] and len(arrows) == 25


def test_what_a_capture_holds_stays_text(open_page, tab, tmp_path):
    path, asked = tmp_path / "hostile.pcap", []
    write_capture(path, HOSTILE)
    tab.on("request", lambda request: asked.append(request.url))
    open_page(path)
    for view in ("frames", "streams", "summary"):
        tab.click(f"[data-view={view}]")
    assert tab.evaluate("window.caught") is None
    assert all(url.startswith(("file:", "data:")) for url in asked)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "\x1b" not in page and "\x00" not in page and "\u202e" not in page
    block = re.search(r'<script type="application/json" id="captures">(.*?)</script>', page, re.DOTALL)
    assert json.loads(block[1])[0]["lengths"]


def test_the_policy_stops_a_script_that_is_not_the_pages(open_page, tab, tmp_path):
    """The twin of the above: were such text ever to become markup, the browser would refuse to run it."""
    page = page_about((PLAIN,), None).replace("</main>", "<script>window.caught = 1</script></main>")
    (tmp_path / "attacked.html").write_text(page, encoding="utf-8")
    with tab.context.browser.new_context() as context:
        attacked = context.new_page()
        attacked.goto((tmp_path / "attacked.html").as_uri())
        assert attacked.evaluate("window.caught") is None
        assert attacked.locator("[data-frame]").count() > 0


def test_a_page_of_150_frames_is_small():
    assert len(page_about((PLAIN,), None).encode()) <= 1_500_000
