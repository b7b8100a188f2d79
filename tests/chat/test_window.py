"""The report's two windows, opened for real under Xvfb and used as a person would.

``CHAT_SCREENSHOTS=folder`` keeps what the windows looked like.
"""

import gc
import os
import socket
from pathlib import Path

import pytest

from lab.chat import wire
from tests.chat import screen
from tests.chat.report_peer import ReportClient
from tests.chat.rig import joined

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
    from lab.chat import window

    seen = []
    monkeypatch.setattr(window.messagebox, "showerror", lambda title, text, **_: seen.append((title, text)))
    return seen


@pytest.fixture
def chat(display, complaints):
    """``chat(server, name, ...)``: the two windows as the program shows them, with the name typed and focus given."""
    import tkinter as tk

    from lab.chat import window

    opened = []

    class Chat:
        def __init__(self, port, name="Brandon", host="localhost", **options):
            self.root = tk.Tk()
            self.root.report_callback_exception = self._failed
            self.failures = []
            self.window = None
            opened.append(self)
            self.login = window.start(self.root, self._show, host=host, port=port, **options)
            self.root.update()
            self.login.name.set(name)

        def _failed(self, kind, error, trace):
            self.failures.append(error)

        def _show(self, client):
            self.window = window.ChatWindow(self.root, client)

        def connect(self):
            self.login.connect_button.invoke()
            screen.until(self.root, lambda: self.window is not None)
            screen.until(self.root, lambda: self.users())
            return self

        def users(self):
            return [line for line in self.window.users_box.get("1.0", "end").splitlines() if line]

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
    assert str(brandon.window.chat_box["state"]) == str(brandon.window.users_box["state"]) == "disabled"
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


def test_the_server_goes_away(chat, serve, complaints):
    server = serve()
    brandon = chat(server.port).connect()
    server.stop()
    screen.until(brandon.root, lambda: complaints)
    assert complaints[0][0] == "Connection lost"
    assert "*** Server Closed ***" in brandon.shown() and "Connection lost" in brandon.shown()
    brandon.window.message.set("unsent")
    brandon.window.send()
    assert brandon.window.message.get() == "unsent"
    assert len(complaints) == 1
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
