"""``python3 lab live`` in a browser: what is typed is on the cable at once, and every switch does what it says."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import websocket

from lab.commands import live, report
from lab.dissect.files.capture_file import read_capture
from lab.exposure import eavesdrop
from lab.net import namespace
from tests.browser import axe_findings
from tests.explorer.lecture import BOUND_S, LIVE, ask, lecture, news
from tests.explorer.pages import HOSTILE
from tests.support import ROOT, needs_namespaces, only, processes_marked

pytestmark = needs_namespaces


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with lecture(tmp_path_factory.mktemp("lecture")) as one:
        yield one


@pytest.fixture
def show(tab):
    """``show(lecture)`` opens its page in a tab; ``say`` and ``press`` use it."""
    tab.set_default_timeout(15_000)

    def open_page(one):
        tab.goto(one.address)
        tab.wait_for_selector("[data-frame]")
        switch_to(tab, "plaintext")
        return tab

    return open_page


def say(tab, who: str, text: str) -> None:
    tab.fill(f"[aria-label='{who} says']", text)
    tab.press(f"[aria-label='{who} says']", "Enter")


def switch_to(tab, mode: str) -> None:
    if not tab.locator(f"button[aria-pressed=true]:text-is('{mode}')").count():
        tab.locator(f"button:text-is('{mode}')").click()
    tab.wait_for_selector(f"button[aria-pressed=true]:text-is('{mode}'):enabled")


def wait_for_info(tab, text: str, judged: str = "") -> None:
    tab.wait_for_selector(f"[data-frame]{judged}:has(.info:has-text({json.dumps(text)}))")


# What is seen


def test_a_line_is_in_three_windows_on_the_cable_and_in_the_transcript(running, show):
    tab = show(running)
    say(tab, "Brandon", "the code is heron-4711")
    for who in ("Brandon", "John", "Alice"):
        tab.wait_for_selector(f"[aria-label='What {who} sees'] >> text=<Brandon> the code is heron-4711")
    wait_for_info(tab, "<Brandon> the code is heron-4711")
    line = tab.wait_for_selector(".lines .secret:has-text('Brandon: the code is heron-4711')")
    assert "to Alice, John" in line.inner_text()
    lit = tab.locator(".byte[aria-selected=true]").all_inner_texts()
    assert bytes.fromhex("".join(lit)) == b"<Brandon> the code is heron-4711"  # the newest payload
    lanes = tab.locator(".lane").all_inner_texts()
    assert lanes == ["Brandon", "John", "Alice", "server"]
    assert tab.locator(".row .arrow.chat").count() > 0


def test_tls_makes_new_connections_that_show_times_lengths_and_who_to_whom(running, show):
    tab = show(running)
    switch_to(tab, "TLS 1.3")
    say(tab, "Brandon", "hello")
    # Until it is complete, the eavesdropper may take what a client announces for a line.
    heading, line = "h3:text-is('TLS 1.3: 0 of 1 lines read')", "10.27.27.206: a message of 5 bytes"
    chapter = tab.wait_for_selector(f".chapter:has({heading}):has-text('{line}')")
    assert "10.27.27.206: a message of 5 bytes" in chapter.inner_text()
    assert "to 10.27.27.43, 10.27.27.49" in chapter.inner_text() and "hello" not in chapter.inner_text()
    assert "The stages speak plaintext only." not in tab.inner_text(".switches"), "this is the kit's server"
    assert tab.locator("optgroup[label='Stages: plaintext only'] option:disabled").count() == 5
    tab.locator(".chapter .lines button").first.click()  # to the frame, at which the page then stays
    tab.wait_for_selector(".tree li:has-text('Record: Application Data')")
    assert tab.get_attribute("button:text-is('Pause')", "aria-pressed") == "true"


def test_padding_hides_the_lengths(running, show):
    tab = show(running)
    switch_to(tab, "TLS 1.3, padded")
    for text in ("yes", "no", "yes, of course", "well"):
        say(tab, "Brandon", text)
        tab.wait_for_selector(f"[aria-label='What Alice sees'] >> text=/> {text}$/")
    tab.wait_for_selector(".chapter:has-text('TLS 1.3: 0 of 4 lines read'):has-text('blocks of 128 bytes')")


@pytest.mark.parametrize("stage", only(["report", "framed"], "report"))
def test_a_stage_serves_and_tls_is_grey_with_its_reason(running, show, stage):
    tab = show(running)
    tab.select_option("#server", f"lab/stages/{stage}.py")
    tab.wait_for_selector("button:text-is('TLS 1.2'):disabled")
    tab.wait_for_selector("#server:enabled")
    assert "The stages speak plaintext only." in tab.inner_text(".switches")
    say(tab, "John", f"this is {stage}")
    tab.wait_for_selector(f"[aria-label='What Alice sees'] >> text=this is {stage}")
    tab.select_option("#server", "lab/server.py")
    tab.wait_for_selector("button:text-is('TLS 1.2'):enabled")


def test_weather_acts_at_once(running, show):
    tab = show(running)
    tab.fill("#delay", "30")
    tab.press("#delay", "Enter")
    tab.click("button:text-is('Lose the next copy')")
    say(tab, "Brandon", "will this be repeated?")
    wait_for_info(tab, "will this be repeated?", judged=".judged")
    tab.fill("#delay", "100000")
    tab.press("#delay", "Enter")
    tab.wait_for_selector("[role=status]:has-text('at most 2000 ms')")  # refused, in words
    tab.fill("#delay", "0")
    tab.press("#delay", "Enter")


def test_alice_stops_reading_and_her_window_closes_before_everyones_eyes(running, show):
    tab = show(running)
    tab.click("button:text-is('Alice stops reading')")
    tab.wait_for_selector(".panel.silent:has-text('does not read')")
    for number in range(6):
        say(tab, "Brandon", f"{number} " + 200 * "x")
        tab.wait_for_selector(f"[aria-label='What John sees'] >> text=/> {number} xx/")
    wait_for_info(tab, "zero window")
    assert "5 xx" not in tab.inner_text("[aria-label='What Alice sees']")
    tab.click("button:text-is('Alice stops reading')")
    tab.wait_for_selector("[aria-label='What Alice sees'] >> text=5 xx")


@pytest.mark.maintainers
def test_mallory_speaks_for_brandon_changes_a_word_and_ends_his_connection(tmp_path, show):
    with lecture(tmp_path) as one:
        tab = show(one)
        say(tab, "Brandon", "is it noon?")
        wait_for_info(tab, "is it noon?")
        tab.click("button:text-is('Speak as Brandon')")
        tab.wait_for_selector("[aria-label='What John sees'] >> text=> I quit")
        tab.wait_for_selector("[aria-label='The eavesdropper'] :text('plaintext: 2 of 2 lines read')")
        tab.wait_for_selector("[aria-label='The eavesdropper'] :text('Brandon: I quit')")
        switch_to(tab, "TLS 1.3")
        say(tab, "Brandon", "is it one?")
        tab.wait_for_selector("h3:text-is('TLS 1.3: 0 of 1 lines read')")
        tab.click("button:text-is('Speak as Brandon')")
        say(tab, "John", "who said that?")
        tab.wait_for_selector("[aria-label='What Alice sees'] >> text=who said that?")
        assert tab.inner_text("[aria-label='What John sees']").count("I quit") == 1, "over TLS nobody did"
        tab.wait_for_selector("h3:text-is('TLS 1.3: 0 of 2 lines read')")
        switch_to(tab, "plaintext")
        tab.click("button:text-is('Stand in the middle')")
        tab.wait_for_selector("button[aria-pressed=true]:text-is('Stand in the middle')")
        say(tab, "Brandon", "lunch at noon?")
        tab.wait_for_selector("[aria-label='What John sees'] >> text=lunch at nine?")
        tab.wait_for_selector("[aria-label='What Brandon sees'] >> text=lunch at noon?")
        tab.click("button:text-is('Stand in the middle')")
        tab.wait_for_selector("button[aria-pressed=false]:text-is('Stand in the middle')")
        say(tab, "Brandon", "at noon, I said")
        tab.wait_for_selector("[aria-label='What John sees'] >> text=at noon, I said")
        tab.click("button:text-is('Reset Brandon')")
        wait_for_info(tab, "RST")
        tab.wait_for_selector("[role=status]:has-text('His client learns of it when his next line is lost')")
        say(tab, "Brandon", "hello?")
        tab.wait_for_selector("[aria-label='What Brandon sees'] >> text=reset")
        again = "Not connected; lines are lost. Press plaintext or TLS to connect everybody again"
        tab.wait_for_selector(f"[aria-label='What Brandon sees'] >> text={again}")
        tab.click("button:text-is('Reset Brandon')")
        tab.wait_for_selector("[role=status]:has-text('Brandon is not connected')")
        tab.click("button:text-is('plaintext')")
        tab.wait_for_selector("p.soft[role=status]:not(:has-text('Brandon is not connected'))")
        say(tab, "Brandon", "and here I am")
        tab.wait_for_selector("[aria-label='What John sees'] >> text=and here I am")
        one.end()
    [entry] = json.loads((tmp_path / "manifest.json").read_text())["recordings"]
    texts = [bytes(read_capture(one.capture).frame(number)) for number in entry["forged"]]
    assert entry["forger"] == "Mallory" and any(text.endswith(b"I quit") for text in texts)
    assert any(b"nine" in text for text in texts) and not any(b"I said" in text for text in texts)


def test_pause_step_back_and_follow(running, show):
    tab = show(running)
    say(tab, "John", "before")
    wait_for_info(tab, "<John> before")
    tab.click("button:text-is('Pause')")
    say(tab, "John", "meanwhile")
    tab.wait_for_selector("[role=status]:has-text('not shown yet')")
    assert "meanwhile" not in tab.inner_text(".frames")
    chosen = "() => Number(document.querySelector('[aria-selected=true][data-frame]').dataset.frame)"
    at = tab.evaluate(chosen)
    tab.click("button:text-is('Step back')")
    assert tab.evaluate(chosen) == at - 1
    tab.wait_for_selector(".tree .layer")
    tab.click("button:text-is('Follow')")
    wait_for_info(tab, "<John> meanwhile")


# Who may look, and who may drive


def test_a_second_tab_only_watches_and_drives_when_it_is_the_first(running, show):
    tab = show(running)
    second = tab.context.new_page()
    second.goto(running.address)
    second.wait_for_selector("[role=status]:has-text('only watches')")
    assert second.locator("button:text-is('TLS 1.3')").is_disabled()
    say(tab, "Alice", "for both")
    wait_for_info(second, "<Alice> for both")
    watcher = running.open_socket()
    ask(watcher, "say", who="Alice", text="from one who watches")
    ask(watcher, "frame", number=1)  # is answered, behind the line that is not said
    assert next(one for one in news(watcher) if "frame" in one)["frame"]["data"]["lengths"]
    watcher.close()
    tab.goto("about:blank")
    second.wait_for_selector("button:text-is('TLS 1.3'):enabled")
    say(second, "Alice", "and now I")
    wait_for_info(second, "<Alice> and now I")
    assert "from one who watches" not in second.inner_text("[aria-label='What Alice sees']")
    second.close()


def test_only_the_page_itself_gets_in(running):
    def status(url: str, **headers: str) -> int:
        try:
            return urllib.request.urlopen(
                urllib.request.Request(url, headers=headers), timeout=BOUND_S
            ).status
        except urllib.error.HTTPError as error:
            return error.code

    assert status(running.address) == 200
    assert status(running.address, Host="evil.example") == 403
    assert status(running.origin + "/") == status(running.origin + "/token/") == 404
    for origin in ("http://evil.example", running.origin + "0", "null"):
        with pytest.raises(websocket.WebSocketBadStatusException):
            running.open_socket(origin)


def test_a_request_that_is_none_ends_its_tab_alone(running):
    for nonsense in ("{", "[]", '{"do": "rm"}', '{"do": "say", "x": 1}', '{"do": "frame", "number": "x"}'):
        socket = running.open_socket()
        next(one for one in news(socket) if one.get("state", {}).get("drives"))
        socket.send(nonsense)
        assert not any("frame" in one for one in news(socket)), "it goes on to the end"
    assert running.process.poll() is None


def test_hostile_lines_stay_text(running, show):
    tab, asked = show(running), []
    tab.on("request", lambda request: asked.append(request.url))
    for text in HOSTILE[:4]:
        say(tab, "John", text.decode().replace("\0", ""))
    tab.wait_for_selector(".lines >> text=<!--<script>")
    assert tab.evaluate("window.caught") is None and asked == []


@pytest.mark.parametrize("scheme", only(["light", "dark"], "light"))
def test_axe_finds_nothing(running, show, scheme):
    tab = show(running)
    tab.emulate_media(color_scheme=scheme)
    say(tab, "John", "my key is 12")
    tab.wait_for_selector(".lines .secret")
    assert axe_findings(tab) == []


@pytest.mark.parametrize("width", only([320, 390], 320))
def test_it_fits_a_narrow_screen(running, show, width):
    tab = show(running)
    tab.set_viewport_size({"width": width, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


# A script, and the end


def test_a_script_speaks_and_the_recording_is_complete_and_scored(tmp_path, capsys):
    script = tmp_path / "talk.txt"
    script.write_text("John: hello\nAlice: the code is heron\n")
    with lecture(tmp_path / "out", "--script", str(script)) as one:
        socket, rows, said = one.open_socket(), [], 0
        for each in news(socket):
            rows += each.get("frames", [])
            said = max([said, *(chapter["said"] for chapter in each.get("known", []))])
            if said == 2 and one.process.poll() is None:  # again and again, as impatient people do
                one.process.send_signal(signal.SIGINT)
            if each.get("state", {}).get("ended"):
                break
        output, errors = one.end()
    assert (one.process.returncode, errors) == (0, "")
    capture = read_capture(one.capture)
    assert [row["number"] for row in rows] == list(range(1, len(capture) + 1)), (
        "not a frame is lost on the way"
    )
    assert f"{len(capture)} frames recorded, {len(capture)} of them shown" in output
    assert eavesdrop(one.capture).lines == [("John", "hello"), ("Alice", "the code is heron")]
    (entry,) = json.loads((one.out / "manifest.json").read_text())["recordings"]
    assert entry["frames"] == len(capture) and [user["name"] for user in entry["users"]] == list(live_users())
    page = tmp_path / "page.html"
    assert report.main([str(one.capture), "--out", str(page)]) == 0
    assert "How much of the conversation?" in page.read_text(encoding="utf-8")
    assert sorted(path.name for path in one.out.iterdir()) == ["live.pcapng", "manifest.json"]


def live_users() -> tuple[str, ...]:
    return ("Brandon", "John", "Alice")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGHUP], ids=["killed", "terminal closed"])
def test_however_it_ends_nothing_is_left(tmp_path, how):
    mark = f"LAB_TEST_LIVE={tmp_path}"
    environment = os.environ | {"LAB_TEST_LIVE": str(tmp_path), "TMPDIR": str(tmp_path / "temporary")}
    (tmp_path / "temporary").mkdir()
    with lecture(tmp_path / "out", env=environment) as one:
        socket = one.open_socket()
        ask(socket, "switch", mode="TLS 1.3", server="lab/server.py")
        next(
            None
            for each in news(socket)
            if each.get("state", {}).get("mode") == "TLS 1.3" and not each["state"]["busy"]
        )
        assert len(processes_marked(mark)) > 4, "the search finds what is there"
        one.end(how)
    until_gone(mark)
    assert read_capture(one.capture).truncated is None and len(read_capture(one.capture)) > 50
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.maintainers
def test_a_switch_that_is_under_way_is_carried_out_before_the_end(tmp_path):
    with lecture(tmp_path) as one:
        socket = one.open_socket()
        ask(socket, "switch", mode="TLS 1.3", server="lab/server.py")
        busy = (each["state"]["busy"] for each in news(socket) if "state" in each)
        next(text for text in busy if text.startswith("Connecting"))
        one.process.send_signal(signal.SIGINT)
        next(text for text in busy if text.startswith("Ending"))
        ask(socket, "read", reads=False)  # too late
        assert one.end()[1] == "" and one.process.returncode == 0
    [entry] = json.loads((tmp_path / "manifest.json").read_text())["recordings"]
    assert [len(session["users"]) for session in entry["sessions"]] == [3, 3]


def until_gone(mark: str) -> None:
    """Wait until the kernel has ended the LAN's processes."""
    for pid in [int(path) for path in os.listdir("/proc") if path.isdecimal()]:
        try:
            if mark.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                select.select([os.pidfd_open(pid)], [], [], BOUND_S)
        except OSError:
            continue
    assert processes_marked(mark) == []


# Where there is no LAN


def test_where_no_lan_can_be_made_it_is_held_on_the_loopback(tmp_path):
    command = [sys.executable, "-m", "tests.explorer.lecture", str(tmp_path)]
    process = namespace.popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    output, errors = process.communicate(timeout=BOUND_S)
    row, reason, *end = output.splitlines()
    assert json.loads(row)["lanes"] == ["Brandon", "server"] and reason == "The loopback has no cable.", (
        errors
    )
    counts = re.search(r"(\d+) frames recorded, (\d+) of them shown", "\n".join(end))
    assert counts and counts[1] == counts[2] == str(len(read_capture(tmp_path / "live.pcapng")))


def test_where_nothing_may_be_recorded_it_is_refused_in_one_line(tmp_path):
    drop = "import ctypes, os, sys; open('/proc/sys/user/max_net_namespaces', 'w').write('0'); "
    drop += (
        "ctypes.CDLL(None).prctl(24, 13); os.execv(sys.argv[1], sys.argv[1:])"  # PR_CAPBSET_DROP, CAP_NET_RAW
    )
    command = [sys.executable, "-c", drop, *LIVE, "--out", str(tmp_path)]
    process = namespace.popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    output, errors = process.communicate(timeout=BOUND_S)
    assert (process.returncode, output) == (2, "")
    assert errors.startswith("lab live: this user may not record on lo") and len(errors.splitlines()) == 1


def test_a_script_of_strangers_is_refused(tmp_path, capsys):
    (tmp_path / "talk.txt").write_text("Eve: hello\n")
    assert live.main(["--script", str(tmp_path / "talk.txt"), "--out", str(tmp_path)]) == 2
    errors = capsys.readouterr().err
    assert errors.endswith(
        "talk.txt: Eve has no host here; Brandon, John, Alice have\n"
    ) and errors.startswith("lab live: ")
