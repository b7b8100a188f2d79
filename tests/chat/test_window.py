"""The report's two windows, opened for real under Xvfb and used as a person would.

``CHAT_SCREENSHOTS=folder`` keeps what the windows looked like.
"""

import gc
import os
import socket
from pathlib import Path

import pytest

from lab.chat import lines, wire
from lab.chat.features.commands import Commands
from lab.chat.features.history import History
from lab.chat.features.private import Private
from lab.chat.server import ChatServer
from tests.chat import screen
from tests.chat.report_peer import ReportClient
from tests.chat.rig import joined, lines_client, until

pytestmark = pytest.mark.skipif(screen.missing() is not None, reason=str(screen.missing()))


@pytest.fixture(scope="module")
def display():
    with screen.xvfb() as name:
        os.environ["DISPLAY"], before = name, os.environ.get("DISPLAY")
        yield name
        if before is None:
            del os.environ["DISPLAY"]
        else:
            os.environ["DISPLAY"] = before


@pytest.fixture
def complaints(monkeypatch):
    """Dialogs wait for a click, so here they are written down instead."""
    from lab.chat import login_window

    seen = []
    monkeypatch.setattr(login_window.messagebox, "showerror", lambda title, text, **_: seen.append((title, text)))
    monkeypatch.setattr(login_window.messagebox, "askokcancel", lambda title, text, **_: seen.append((title, text)))
    return seen


@pytest.fixture
def chat(display, complaints):
    """``chat(server, name, ...)``: the two windows as the program shows them, with the name typed and focus given."""
    import tkinter as tk

    from lab.chat import login_window
    from lab.chat.chat_window import ChatWindow

    opened = []

    class Chat:
        def __init__(self, port, name="Brandon", host="localhost", **options):
            self.root = tk.Tk()
            self.root.report_callback_exception = self._failed
            self.failures = []
            self.window = None
            opened.append(self)
            self.login = login_window.start(self.root, self._show, host=host, port=port, **options)
            self.root.update()
            self.login.name.set(name)

        def _failed(self, kind, error, trace):
            self.failures.append(error)

        def _show(self, client):
            self.window = ChatWindow(self.root, client)

        def connect(self):
            self.login.connect_button.invoke()
            screen.until(self.root, lambda: self.window is not None)
            screen.until(self.root, lambda: self.users())
            return self

        def users(self):
            return list(self.window.users_box.get(0, "end"))

        def shown(self):
            return self.window.chat_box.get("1.0", "end")

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
    assert login.focus_get() is None or login.focus_get() == login.name_box
    assert login.connect_button["text"] == "Connect"
    login.root.update()
    keep(display, "login")


def test_connect_send_by_button_and_by_return(chat, serve, display):
    server = serve()
    brandon = chat(server.port).connect()
    assert brandon.root.title() == "Chatting Program"
    port = brandon.window.client.connection.local[1]
    heading = all_text(brandon.window)
    assert "127.0.0.1" in heading and str(port) in heading and "Not encrypted" in heading
    for label in ("Chat Box", "Users", "Enter Message", "Send", "Disconnect"):
        assert label in heading
    john = joined("John", server)
    screen.until(brandon.root, lambda: brandon.users() == ["Brandon", "John"])
    brandon.window.message.set("hello by button")
    brandon.window.send_button.invoke()
    brandon.wait_for("hello by button")
    assert brandon.window.message.get() == ""
    brandon.window.message_box.focus_force()
    brandon.root.update()
    brandon.window.message.set("hello by return")
    brandon.window.message_box.event_generate("<Return>")
    brandon.wait_for("hello by return")
    assert brandon.window.message.get() == ""
    john.say("hi Brandon, good to see you ä€", wait=True)
    brandon.wait_for("hi Brandon, good to see you ä€")
    assert str(brandon.window.chat_box["state"]) == "disabled"
    keep(display, "chat")
    john.leave()
    screen.until(brandon.root, lambda: brandon.users() == ["Brandon"])


def all_text(widget) -> str:
    """Whatever the labels and buttons of a window say."""
    parts = []
    for child in widget.winfo_children():
        if "text" in child.keys():  # noqa: SIM118  a widget is no dictionary
            parts.append(str(child["text"]))
        parts.append(all_text(child))
    return " ".join(parts)


def test_return_connects(chat, serve):
    brandon = chat(serve().port)
    brandon.login.name_box.focus_force()
    brandon.root.update()
    brandon.login.name_box.event_generate("<Return>")
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
        assert "without a word" not in server.said.wait_for("Disconnected: Brandon")


def test_closing_the_login_window_quits(chat):
    brandon = chat(9898)
    brandon.root.tk.call(*brandon.root.tk.splitlist(brandon.root.protocol("WM_DELETE_WINDOW")))
    assert brandon.closed()


@pytest.mark.parametrize("speaks", ["report", "lines"])
def test_the_server_goes_away_and_comes_back(chat, serve, speaks, display):
    server = serve()
    brandon = chat(server.port, speaks=speaks).connect()
    server.stop()
    screen.until(brandon.root, lambda: "Connection lost" in brandon.window.trouble.get())
    assert "*** Server Closed ***" in brandon.shown() and "Connection lost" in brandon.shown()
    brandon.window.message.set("not sent yet")
    brandon.window.send()
    assert brandon.window.message.get() == "not sent yet"
    assert brandon.window.send_button.instate(["disabled"])
    keep(display, f"lost-{speaks}")
    brandon.window.reconnect_button.invoke()
    screen.until(brandon.root, lambda: "No server answers" in brandon.window.trouble.get())

    again = ChatServer("127.0.0.1", server.port, console=lambda line: None)
    with again:
        brandon.window.reconnect_button.invoke()
        screen.until(brandon.root, lambda: again.names == ("Brandon",))
        screen.until(brandon.root, lambda: brandon.window.send_button.instate(["!disabled"]))
        assert brandon.window.trouble.get() == ""
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


@pytest.mark.parametrize("name", ["", "!Exit", "a" * 65])
def test_a_refused_name(chat, serve, complaints, name):
    brandon = chat(serve().port, name)
    brandon.login.connect_button.invoke()
    screen.until(brandon.root, lambda: complaints)
    assert "name cannot be used" in complaints[0][1]


@pytest.mark.parametrize("port", ["", "ninety", "70000", "-1"])
def test_a_port_that_is_none(chat, complaints, port):
    brandon = chat(9898)
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
    server = serve()
    brandon = chat(server.port).connect()
    for i in range(3_000):
        brandon.window.client.events.put(wire.Said("Flood", f"line {i}"))
    ticks = []
    brandon.root.after(1, lambda: ticks.append(1))
    screen.until(brandon.root, lambda: ticks)
    assert "line 2999" not in brandon.shown()  # the window's own events came first
    brandon.wait_for("line 2999")


class TestOnLines:
    @pytest.fixture
    def two(self, chat, serve, tmp_path):
        """Brandon's window, and John, in a room that offers everything."""
        server = serve(features=[Private(), Commands(), History(tmp_path / "h.sqlite")])
        earlier = lines_client("Alice", server)
        earlier.say("said before you came", wait=True)
        earlier.leave()
        brandon = chat(server.port, speaks="lines").connect()
        yield brandon, lines_client("John", server), server
        server.stop()

    def test_what_is_told_apart(self, two, display):
        brandon, john, server = two
        assert "said before you came" in brandon.shown()
        brandon.window.message.set("hello")
        brandon.window.send_button.invoke()
        brandon.wait_for("<Brandon> hello")
        john.say("hi Brandon", wait=True)
        john.enter("/msg Brandon just between us", wait=True)
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
        keep(display, "lines")
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
        assert until(john, lines.Private)[-1].text == "psst"
        john.leave()

    def test_the_arrow_keys_bring_back_what_was_sent(self, two):
        brandon, john, server = two
        box = brandon.window.message_box
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

    def test_unread_lines_are_marked_and_counted(self, two):
        brandon, john, server = two
        brandon.window._look(False)
        john.say("one", wait=True)
        john.say("two", wait=True)
        brandon.wait_for("<John> two")
        assert brandon.root.title() == "(2) Chatting Program"
        assert brandon.shown().count("not read yet") == 1
        assert brandon.shown().index("not read yet") < brandon.shown().index("<John> one")
        brandon.window._look(True)
        assert brandon.root.title() == "Chatting Program"
        brandon.window._look(False)
        assert "not read yet" not in brandon.shown()
        john.leave()

    def test_what_is_selected_can_be_copied(self, two):
        brandon, john, server = two
        john.say("copy me", wait=True)
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


def test_a_password_over_plaintext_is_asked_about(chat, serve, complaints):
    brandon = chat(serve().port, speaks="lines", password="sesame")
    brandon.login.connect_button.invoke()
    assert "everybody on the path can read it" in complaints[0][1]
    assert brandon.window is None and brandon.login.connect_button.instate(["!disabled"])


def test_a_key_log_stands_in_red(chat, serve, ours, tmp_path):
    from lab.chat.chat_box import BAD
    from lab.chat.tls import server_context

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
    brandon = chat(server.port, tls=encrypted, ca_file=ours.ca, speaks="lines").connect()
    brandon.root.geometry("1270x520")
    brandon.window.message_box.focus_force()
    brandon.root.update()
    brandon.window.message_box.event_generate("<F2>")
    assert brandon.window.wire_view
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


@pytest.mark.parametrize("size", ["560x380", "1270x880"])
def test_every_element_is_there_at_any_size(chat, serve, size, display):
    brandon = chat(serve().port, speaks="lines").connect()
    brandon.root.geometry(size)
    for _ in range(5):
        brandon.root.update()
    window = brandon.window
    width, height = brandon.root.winfo_width(), brandon.root.winfo_height()
    for widget in (window.chat_box, window.users_box, window.message_box, window.send_button, window.disconnect_button):
        assert widget.winfo_ismapped()
        right = widget.winfo_rootx() - brandon.root.winfo_rootx() + widget.winfo_width()
        bottom = widget.winfo_rooty() - brandon.root.winfo_rooty() + widget.winfo_height()
        assert right <= width and bottom <= height, widget
    keep(display, f"size-{size}")
