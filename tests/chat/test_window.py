"""The report's two windows, opened for real under Xvfb and used as a person would.

``CHAT_SCREENSHOTS=folder`` keeps what the windows looked like.
"""

import contextlib
import functools
import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lab.chat import events
from lab.chat.features.history import History
from lab.chat.features.private import Private
from lab.chat.features.typed_commands import TypedCommands
from lab.chat.features.typing_notices import TypingNotices
from lab.chat.server import ChatServer
from lab.chat.tls import server_context
from tests.chat import screen
from tests.chat.report_peer import ReportClient
from tests.chat.rig import BOUND_S, joined, json_client, say, until
from tests.support import ROOT

MISSING = screen.missing("openbox")
pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


@pytest.fixture(scope="session")
def desktops(tmp_path_factory):
    """``desktops(size, dpi)``: a display; all stay to the end of the run, since Tk stays connected to them."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(
            lambda size, dpi: stack.enter_context(
                screen.desktop(size, dpi, tmp_path_factory.mktemp("desktop"))
            )
        )


@pytest.fixture(scope="session")
def display(desktops):
    return desktops("1280x720", 96)


@pytest.fixture
def complaints(monkeypatch):
    """Dialogs wait for a click, so here they are written down instead."""
    from lab.chat import login_window

    seen = []
    monkeypatch.setattr(
        login_window.messagebox, "showerror", lambda title, text, **_: seen.append((title, text))
    )
    monkeypatch.setattr(
        login_window.messagebox, "askokcancel", lambda title, text, **_: seen.append((title, text))
    )
    return seen


@pytest.fixture
def chat(display, complaints):
    """``chat(port, name, ...)``: the two windows as the program shows them, with the name typed."""
    import tkinter as tk

    from lab.chat.login_window import LoginWindow
    from lab.chat.options import LoginOptions

    opened = []

    class Chat:
        def __init__(self, port, name="Brandon", host="localhost", on=display, **options):
            self.root = tk.Tk(screenName=on)
            self.root.report_callback_exception = self._failed
            self.failures = []
            opened.append(self)
            self.login = LoginWindow(self.root, LoginOptions(host=host, port=port, **options))
            self.root.update()
            self.login.name.set(name)

        def _failed(self, kind, error, trace):
            self.failures.append(error)

        @property
        def window(self):
            return self.login.chat_window

        def connect(self):
            self.login.connect_button.invoke()
            screen.until(self.root, lambda: self.window is not None)
            screen.until(self.root, lambda: self.users())
            return self

        def users(self):
            return list(self.window.users_box.get(0, "end"))

        def shown(self):
            return self.window.chat_box.get("1.0", "end")

        def press(self, key):
            """Press a key in the box that has the keyboard."""
            screen.until(self.root, self.root.focus_get)
            self.root.focus_get().event_generate(key)

        def wait_for(self, text):
            screen.until(self.root, lambda: text in self.shown())

        def closed(self):
            import tkinter

            try:
                return not self.root.winfo_exists()
            except tkinter.TclError:
                return True

    yield Chat
    for one in opened:
        if not one.closed():
            if one.window:
                one.window.client.leave()
            one.root.destroy()
        assert one.failures == []
    del one
    opened.clear()
    gc.collect()  # here, in the windows' own thread: tkinter's variables must not be collected by another one


def keep(display, name):
    if folder := os.environ.get("CHAT_SCREENSHOTS"):
        screen.screenshot(display, Path(folder) / f"{name}.png")


def test_the_login_window_has_what_figure_3_2_has(chat, display):
    login = chat(9898).login
    assert login.root.title() == "Enter Username"
    assert (login.host.get(), login.port.get()) == ("localhost", "9898")
    screen.until(login.root, login.focus_get)
    assert login.focus_get() is login.name
    assert login.connect_button["text"] == "Connect"
    keep(display, "login")


def test_what_a_first_connection_does_not_need_is_behind_more(chat, display):
    brandon = chat(9898)
    login = brandon.login
    more = (login.password, login.ca_file, login.browse_button)
    screen.until(brandon.root, login.port.winfo_viewable)
    assert login.tls_button.winfo_viewable() and not any(box.winfo_viewable() for box in more)
    login.more_button.invoke()
    screen.until(brandon.root, lambda: all(box.winfo_viewable() for box in more))
    keep(display, "login-more")
    login.more_button.invoke()
    screen.until(brandon.root, lambda: not any(box.winfo_viewable() for box in more))
    login.tls_button.invoke()
    screen.until(brandon.root, login.ca_file.winfo_viewable)
    assert login.ca_file.instate(["!disabled"])


@pytest.mark.parametrize("options", [{"wire": "json"}, {"ca_file": "ca.pem"}, {"password": "sesame"}])
def test_nothing_that_was_chosen_is_hidden(chat, options):
    brandon = chat(9898, **options)
    screen.until(brandon.root, brandon.login.ca_file.winfo_viewable)


def test_the_wires_are_named_for_a_newcomer(chat):
    from lab import client, server

    login = all_text(chat(9898).login)
    assert "The report: a student's chat program of 2023, whose protocol this kit reproduces." in login
    for names in (login, client.arguments().format_help(), server.arguments().format_help()):
        assert "as in the report" in names and "framed" in names


def test_connect_send_by_button_and_by_return(chat, serve, display):
    server = serve()
    brandon = chat(server.port).connect()
    assert brandon.root.title() == "Chatting Program"
    port = brandon.window.client.connection.local[1]
    heading = all_text(brandon.window)
    assert "127.0.0.1" in heading and str(port) in heading and "Not encrypted" in heading
    screen.until(brandon.root, brandon.root.focus_get)
    assert brandon.root.focus_get() is brandon.window.message
    for label in ("Chat Box", "Users", "Enter Message", "Send", "Disconnect"):
        assert label in heading
    john = joined("John", server)
    screen.until(brandon.root, lambda: brandon.users() == ["Brandon", "John"])
    brandon.window.message.set("hello by button")
    brandon.window.send_button.invoke()
    brandon.wait_for("hello by button")
    assert brandon.window.message.get() == ""
    brandon.window.message.set("hello by return")
    brandon.press("<Return>")
    brandon.wait_for("hello by return")
    assert brandon.window.message.get() == ""
    say(john, "hi Brandon, good to see you ä€")
    brandon.wait_for("hi Brandon, good to see you ä€")
    assert str(brandon.window.chat_box["state"]) == "disabled"
    keep(display, "chat")
    john.leave()
    screen.until(brandon.root, lambda: brandon.users() == ["Brandon"])


def all_text(widget) -> str:
    """Return all that the labels and buttons of a window say."""
    parts = []
    for child in widget.winfo_children():
        if "text" in child.keys():  # noqa: SIM118  a widget is no dictionary
            parts.append(str(child["text"]))
        parts.append(all_text(child))
    return " ".join(parts)


def test_return_connects(chat, serve):
    brandon = chat(serve().port)
    brandon.press("<Return>")
    screen.until(brandon.root, lambda: brandon.window is not None)


@pytest.mark.parametrize("how", ["button", "closing"])
def test_disconnect(chat, serve, how):
    server = serve()
    with ReportClient("Witness", server.port) as witness:
        witness.until(["Witness"])
        brandon = chat(server.port).connect()
        witness.until(["Witness", "Brandon"])
        if how == "button":
            brandon.window.disconnect_button.invoke()
        else:
            brandon.root.tk.call(*brandon.root.tk.splitlist(brandon.root.protocol("WM_DELETE_WINDOW")))
        assert brandon.closed()
        witness.until(["Witness"])
        assert "without notice" not in server.said.wait_for("*** <Brandon>")


def test_closing_the_login_window_quits(chat):
    brandon = chat(9898)
    brandon.root.tk.call(*brandon.root.tk.splitlist(brandon.root.protocol("WM_DELETE_WINDOW")))
    assert brandon.closed()


@pytest.mark.parametrize("wire", ["report", "json"])
def test_the_server_goes_away_and_comes_back(chat, serve, wire, display):
    server = serve()
    brandon = chat(server.port, wire=wire).connect()
    server.stop()
    screen.until(brandon.root, lambda: "Connection lost" in brandon.window.trouble["text"])
    assert "*** Server Closed ***" in brandon.shown() and "Connection lost" in brandon.shown()
    brandon.window.message.set("not sent yet")
    brandon.window.send_message()
    assert brandon.window.message.get() == "not sent yet"
    assert brandon.window.send_button.instate(["disabled"])
    keep(display, f"lost-{wire}")
    brandon.window.reconnect_button.invoke()
    screen.until(brandon.root, lambda: "No server answers" in brandon.window.trouble["text"])

    again = ChatServer("127.0.0.1", server.port, console=lambda line: None)
    with again:
        brandon.window.reconnect_button.invoke()
        screen.until(brandon.root, lambda: again.room.names == ("Brandon",))
        screen.until(brandon.root, lambda: brandon.window.send_button.instate(["!disabled"]))
        assert brandon.window.trouble["text"] == ""
        assert brandon.window.message.get() == "not sent yet"
        screen.until(brandon.root, lambda: brandon.users() == ["Brandon"])
        brandon.window.send_button.invoke()
        brandon.wait_for("<Brandon> not sent yet")
        brandon.window.disconnect_button.invoke()
        assert brandon.closed()


def test_no_server_there(chat, complaints):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    brandon = chat(port)
    brandon.login.connect_button.invoke()
    screen.until(brandon.root, lambda: complaints)
    assert "No server answers" in complaints[0][1]
    assert brandon.login.connect_button.instate(["!disabled"])


def test_a_refused_name(chat, serve, complaints):
    brandon = chat(serve().port)
    for name in ("", "!Exit", "a" * 65):
        complaints.clear()
        brandon.login.name.set(name)
        brandon.login.connect_button.invoke()
        screen.until(brandon.root, lambda: complaints)
        assert "name cannot be used" in complaints[0][1]


def test_a_port_that_is_none(chat, complaints):
    brandon = chat(9898)
    for port in ("", "ninety", "70000", "-1"):
        complaints.clear()
        brandon.login.port.set(port)
        brandon.login.connect_button.invoke()
        screen.until(brandon.root, lambda: complaints)
        assert "port" in complaints[0][1]


def test_over_tls(chat, serve, ours, display):
    from lab.chat.tls import server_context

    server = serve(tls=server_context(ours.certificate, ours.key))
    brandon = chat(server.port, tls=True, ca_file=ours.ca).connect()
    assert "TLSv1.3" in all_text(brandon.window)
    brandon.window.message.set("nobody can read this")
    brandon.window.send_button.invoke()
    brandon.wait_for("nobody can read this")
    keep(display, "chat-tls")


def test_a_wrong_authority_is_a_dialog(chat, serve, certificates, ours, complaints):
    from lab.chat.tls import server_context

    server = serve(tls=server_context(ours.certificate, ours.key))
    brandon = chat(server.port, tls=True, ca_file=certificates().ca)
    brandon.login.connect_button.invoke()
    screen.until(brandon.root, lambda: complaints)
    assert "not trusted" in complaints[0][1]


def test_a_flood_does_not_freeze_the_window(chat, serve):
    from lab.chat.widgets import BATCH

    server = serve()
    brandon = chat(server.port).connect()
    for i in range(5 * BATCH):
        brandon.window.client.events.put(events.Said("Flood", f"line {i}"))
    ticks = []
    brandon.root.after(1, lambda: ticks.append(1))
    screen.until(brandon.root, lambda: ticks)
    assert f"line {5 * BATCH - 1}" not in brandon.shown()  # the window's own events came first
    brandon.wait_for(f"line {5 * BATCH - 1}")


class TestOnLines:
    @pytest.fixture
    def two(self, chat, serve, tmp_path):
        """Brandon's window, and John, in a room that offers everything."""
        server = serve(features=[Private(), TypedCommands(), History(tmp_path / "h.sqlite")])
        earlier = json_client("Alice", server)
        say(earlier, "said before you came")
        earlier.leave()
        brandon = chat(server.port, wire="json").connect()
        yield brandon, json_client("John", server), server
        server.stop()

    def test_what_is_told_apart(self, two, display):
        brandon, john, server = two
        assert "said before you came" in brandon.shown()
        brandon.window.message.set("hello")
        brandon.window.send_button.invoke()
        brandon.wait_for("<Brandon> hello")
        say(john, "hi Brandon")
        john.say_to("Brandon", "just between us")
        john.answered.wait(BOUND_S)
        brandon.wait_for("[private, from John] just between us")
        brandon.window.message.set("/msg Nobody x")
        brandon.window.send_button.invoke()
        brandon.wait_for("nobody here has that name")
        for kind, text in (
            ("own", "<Brandon> hello"),
            ("other", "<John> hi Brandon"),
            ("private", "[private, from John]"),
            ("notice", "*** John Connected ***"),
            ("trouble", "*** Refused: nobody"),
            ("past", "<Alice> said before"),
        ):
            box = brandon.window.chat_box
            assert kind in box.tag_names(box.search(text, "1.0")), kind
        keep(display, "json")
        john.leave()

    def test_the_user_list_writes_a_private_message(self, two):
        brandon, john, server = two
        screen.until(brandon.root, lambda: brandon.users() == ["Brandon", "John"])
        brandon.window.users_box.selection_set(1)
        brandon.window.users_box.focus_force()
        brandon.root.update()
        brandon.window.users_box.event_generate("<Return>")
        assert brandon.window.message.get() == "/msg John "
        brandon.window.message.set(brandon.window.message.get() + "psst")
        brandon.window.send_button.invoke()
        assert until(john, events.SaidTo)[-1].text == "psst"
        john.leave()

    def test_the_arrow_keys_bring_back_what_was_sent(self, two):
        brandon, john, server = two
        box = brandon.window.message
        for text in ("one", "two"):
            brandon.window.message.set(text)
            brandon.window.send_button.invoke()
        box.focus_force()
        brandon.root.update()
        seen = []
        for key in ("<Up>", "<Up>", "<Up>", "<Down>", "<Down>"):
            box.event_generate(key)
            seen.append(brandon.window.message.get())
        assert seen == ["two", "one", "one", "two", ""]
        john.leave()

    def test_unread_lines_are_marked_and_counted(self, two, chat):
        brandon, john, server = two
        screen.until(brandon.root, brandon.root.focus_get)
        elsewhere = chat(9898)  # a new window has the keyboard
        screen.until(brandon.root, lambda: not brandon.window.log.watched)
        say(john, "one")
        say(john, "two")
        brandon.wait_for("<John> two")
        assert brandon.root.title() == "(2) Chatting Program"
        assert brandon.shown().count("not read yet") == 1
        assert brandon.shown().index("not read yet") < brandon.shown().index("<John> one")
        elsewhere.root.destroy()
        screen.until(brandon.root, lambda: brandon.root.title() == "Chatting Program")
        chat(9898)
        screen.until(brandon.root, lambda: "not read yet" not in brandon.shown())
        john.leave()

    def test_what_is_selected_can_be_copied(self, two):
        brandon, john, server = two
        say(john, "copy me")
        brandon.wait_for("copy me")
        box = brandon.window.chat_box
        at = box.search("copy me", "1.0")
        box.tag_add("sel", at, f"{at}+7c")
        box.event_generate("<<Copy>>")
        assert brandon.root.clipboard_get() == "copy me"
        john.leave()

    def test_a_new_name_is_shown(self, two):
        brandon, john, server = two
        brandon.window.message.set("/nick Bran")
        brandon.window.send_button.invoke()
        brandon.wait_for("Brandon is now Bran")
        assert brandon.window.who_label["text"].startswith("Bran ")
        brandon.window.message.set("still mine")
        brandon.window.send_button.invoke()
        brandon.wait_for("<Bran> still mine")
        box = brandon.window.chat_box
        assert "own" in box.tag_names(box.search("<Bran> still", "1.0"))
        john.leave()


def test_who_is_typing_stands_over_the_box_until_the_message_is_there(chat, serve):
    server = serve(features=[TypingNotices()])
    brandon = chat(server.port, wire="json", typing=True).connect()
    john = json_client("John", server)
    label = brandon.window.entry_label
    john.request(events.Typing(idle=True))
    say(john, "about to type")
    brandon.wait_for("about to type")
    assert label["text"] == "Enter Message"
    john.request(events.Typing())
    screen.until(brandon.root, lambda: label["text"] == "Enter Message (John is typing)")
    say(john, "typed")
    screen.until(brandon.root, lambda: label["text"] == "Enter Message")
    brandon.window.message.focus_force()
    brandon.press("<x>")
    assert until(john, events.Typing)[-1] == events.Typing("Brandon")
    john.leave()


def test_a_cure_is_for_the_windows_too(chat, serve, ours, complaints):
    server = serve(tls=server_context(ours.certificate, ours.key), features=[TypingNotices()])
    brandon = chat(server.port, wire="json", tls=True, ca_file=str(ours.ca), cure="chaff")
    brandon.login.wire.set("report")
    brandon.login.connect_button.invoke()
    screen.until(brandon.root, lambda: complaints)
    assert "json wire over TLS" in complaints[0][1]
    brandon.login.wire.set("json")
    john = json_client("John", server)
    brandon.connect()
    brandon.window.message.set("hello")
    brandon.window.send_button.invoke()
    assert until(john, events.Said)[-1].text == "hello"
    assert until(john, events.Typing)[-1] == events.Typing("Brandon", idle=True)
    john.leave()


def test_a_password_over_plaintext_is_asked_about(chat, serve, complaints):
    brandon = chat(serve().port, wire="json", password="sesame")
    brandon.login.connect_button.invoke()
    assert "everybody on the path can read it" in complaints[0][1]
    assert brandon.window is None and brandon.login.connect_button.instate(["!disabled"])


def test_a_key_log_stands_in_red(chat, serve, ours, tmp_path):
    from lab.chat.widgets import BAD

    server = serve(tls=server_context(ours.certificate, ours.key))
    brandon = chat(server.port, tls=True, ca_file=ours.ca, key_log=str(tmp_path / "keys.txt"))
    assert "KEY LOG ON" in all_text(brandon.login)
    brandon.connect()
    assert "KEY LOG ON" in brandon.window.lock_label["text"]
    assert str(brandon.window.lock_label["foreground"]) == BAD


@pytest.mark.parametrize("encrypted", [False, True], ids=["plaintext", "tls"])
def test_the_wire_view(chat, serve, ours, encrypted, display):
    from lab.chat.tls import server_context

    server = serve(tls=server_context(ours.certificate, ours.key))
    brandon = chat(server.port, tls=encrypted, ca_file=ours.ca, wire="json").connect()
    assert brandon.window.wire_button["text"] == "Show the wire (F2)"
    brandon.press("<F2>")
    assert brandon.window.wire_view and brandon.window.wire_button["text"] == "Hide the wire (F2)"
    brandon.window.message.set("can anybody read this?")
    brandon.window.send_button.invoke()
    brandon.wait_for("can anybody read this?")
    pane = brandon.window.wire_view.box
    screen.until(brandon.root, lambda: "received" in pane.get("end-20l", "end"))
    text = pane.get("1.0", "end")
    # The dump breaks lines every sixteen bytes, so the text is put together again from its right-hand column.
    column = "".join(line[55:] for line in text.splitlines() if not line.startswith("["))
    assert ("can anybody read this?" in column) is not encrypted
    assert ("TLS record, application data" in text) is encrypted
    assert ("plaintext" in text) is not encrypted
    keep(display, "wire-tls" if encrypted else "wire-plain")
    brandon.window.wire_button.invoke()
    assert brandon.window.wire_view is None


@pytest.mark.parametrize("size", ["1x1", "1270x680+0+0"])
def test_every_element_is_there_at_any_size(chat, serve, size, display):
    brandon = chat(serve().port, wire="json").connect()
    brandon.root.geometry(size)
    screen.until(
        brandon.root, lambda: everything_is_seen(brandon) and is_small(brandon.root) == (size == "1x1")
    )
    keep(display, f"size-{size}")


@pytest.mark.parametrize(
    "dpi, size, beside", [(96, "1280x720", True), (192, "2560x1440", True), (96, "800x600", False)]
)
@pytest.mark.parametrize("start", ["as it opens", "smallest", "largest"])
def test_the_wire_is_shown_where_there_is_room(chat, serve, desktops, dpi, size, beside, start):
    on = desktops(size, dpi)
    brandon = chat(serve().port, on=on).connect()
    wanted = brandon.root.winfo_reqwidth()  # until then it still has the login's size
    screen.until(brandon.root, lambda: brandon.root.winfo_width() == wanted and everything_is_seen(brandon))
    if start == "smallest":
        brandon.root.geometry("1x1")
        screen.until(brandon.root, lambda: is_small(brandon.root))
    elif start == "largest":
        brandon.root.attributes("-zoomed", True)
        screen.until(
            brandon.root, lambda: brandon.root.winfo_width() > 0.99 * brandon.root.winfo_screenwidth()
        )
    before = brandon.root.winfo_width()
    for _ in range(2):
        brandon.press("<F2>")
        view = brandon.window.wire_view
        assert (view.winfo_toplevel() is brandon.root) is beside
        screen.until(
            brandon.root, lambda view=view: a_whole_line_is_seen(view.box) and everything_is_seen(brandon)
        )
        screen.until(brandon.root, lambda: brandon.root.focus_get() is brandon.window.message)
        keep(on, f"wire-{size}-{start.replace(' ', '-')}")
        brandon.press("<F2>")
        assert brandon.window.wire_view is None
        screen.until(
            brandon.root, lambda: brandon.root.winfo_width() == before and everything_is_seen(brandon)
        )


def is_small(root) -> bool:
    return (root.winfo_width(), root.winfo_height()) == tuple(root.minsize())


def is_seen(widget) -> bool:
    """Whether all of it is inside of its window, and that on the screen."""
    window, left, upper = widget.winfo_toplevel(), widget.winfo_rootx(), widget.winfo_rooty()
    right, lower = left + widget.winfo_width(), upper + widget.winfo_height()
    return (
        widget.winfo_viewable()
        and max(0, window.winfo_rootx()) <= left
        and max(0, window.winfo_rooty()) <= upper
        and right <= min(widget.winfo_screenwidth(), window.winfo_rootx() + window.winfo_width())
        and lower <= min(widget.winfo_screenheight(), window.winfo_rooty() + window.winfo_height())
    )


def everything_is_seen(brandon) -> bool:
    """Whether every part of the chat is there, and its box has room for some lines of some words."""
    window = brandon.window
    parts = (window.who_label, window.wire_button, window.chat_box, window.users_box, window.message)
    font = tkinter_font(window.chat_box)
    return (
        all(map(is_seen, (*parts, window.send_button, window.disconnect_button)))
        and window.who_label.winfo_width() >= window.who_label.winfo_reqwidth()
        and window.chat_box.winfo_width() >= 40 * font.measure("0")
        and window.chat_box.winfo_height() >= 8 * font.metrics("linespace")
    )


def a_whole_line_is_seen(box) -> bool:
    return is_seen(box) and box.winfo_width() >= tkinter_font(box).measure("0" * 71)  # offset, hex and text


def tkinter_font(widget):
    from tkinter import font

    return font.nametofont(widget["font"], root=widget)


@pytest.mark.skipif(shutil.which("xdotool") is None, reason="xdotool is not installed")
@pytest.mark.parametrize("title", ["Enter Username", "Not connected"])
def test_ctrl_c_ends_it_also_at_a_dialog(display, title):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # nobody listens there afterwards
    command = [sys.executable, ROOT / "lab" / "client.py", "--name", "Zoe", "--port", str(port)]
    client = subprocess.Popen(
        command, env=os.environ | {"DISPLAY": display}, stderr=subprocess.PIPE, text=True
    )

    def shown(wanted: str) -> list[str]:
        return screen.windows_called(display, wanted)

    try:
        [login] = screen.until_running(lambda: shown("Enter Username"), client, "the login window")
        if title == "Not connected":
            screen.press(display, login, "Return")
            screen.until_running(lambda: shown(title), client, "the dialog")
        client.send_signal(signal.SIGINT)
        _, errors = client.communicate(timeout=BOUND_S)
    finally:
        client.kill()
    assert (client.returncode, errors) == (-signal.SIGINT, "")
