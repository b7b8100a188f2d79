"""Shared by the chat's tests: a console that can be waited on, ears for clients, certificates for TLS."""

import queue
import socket
import threading
import time

from lab.chat import events
from lab.chat.client import ChatClient
from lab.chat.events import Lost
from lab.chat.features.typed_commands import enter
from lab.chat.json_wire import JsonWire
from lab.chat.login import Login
from lab.chat.server import ChatServer

JSON = JsonWire()  # what a test encodes with
BOUND_S = 15  # a bound against hanging, never what a test asserts


def json_client(name: str, server, **more) -> ChatClient:
    """Return a client on the json wire, in the room; its welcome and its own arrival have been taken off its events."""
    client = ChatClient(Login(name, "127.0.0.1", server.port, wire="json", **more)).connect()
    until(client, lambda event: isinstance(event, events.Joined) and event.name == client.name)
    return client


class Console:
    """Stands in for the server's console: keeps its lines, and can wait for one."""

    def __init__(self):
        self.lines: list[str] = []
        self._new = threading.Condition()

    def __call__(self, line: str) -> None:
        with self._new:
            self.lines.append(line)
            self._new.notify_all()

    def wait_for(self, fragment: str, count: int = 1) -> str:
        def found():
            return [line for line in self.lines if fragment in line]

        with self._new:
            if not self._new.wait_for(lambda: len(found()) >= count, BOUND_S):
                raise AssertionError(f"the console never said {fragment!r} {count} times: {self.lines}")
            return found()[-1]


def until(client: ChatClient, wanted, bound_s: float = BOUND_S) -> list:
    """Return the events up to the first that equals ``wanted``, is one, or for which it is true."""

    def hit(event):
        if isinstance(wanted, type):
            return isinstance(event, wanted)
        return wanted(event) if callable(wanted) else event == wanted

    seen, deadline = [], time.monotonic() + bound_s
    while True:
        try:
            event = client.events.get(timeout=max(0.01, deadline - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"{wanted!r} never came; what did: {seen}") from None
        seen.append(event)
        if hit(event):
            return seen
        if isinstance(event, Lost):
            raise AssertionError(f"{wanted!r} never came before the connection ended; what did: {seen}")


def raw(port: int, host: str = "127.0.0.1") -> socket.socket:
    """Return a bare connection, for peers that misbehave."""
    sock = socket.create_connection((host, port), BOUND_S)
    sock.settimeout(BOUND_S)
    return sock


def read_to_end(sock: socket.socket) -> bytes:
    """Return all that comes until the other side closes (or resets)."""
    parts = []
    try:
        while data := sock.recv(65536):
            parts.append(data)
    except ConnectionError:
        pass
    return b"".join(parts)


def joined(name: str, server, host: str = "127.0.0.1", **more) -> ChatClient:
    """Return a client in the room, announced and listed."""
    client = ChatClient(Login(name, host, server.port, **more)).connect()
    if isinstance(server, ChatServer):
        server.said.wait_for(f"*** {name} Connected")  # the name has been read by itself, see lab.chat.client
    client.announce()
    client.answered.wait(BOUND_S)
    client.ask_users()
    client.answered.wait(BOUND_S)
    return client


def say(client: ChatClient, text: str) -> None:
    """Send a message and wait until it has come back, or can come back no more."""
    client.say(text)
    client.answered.wait(BOUND_S)


def enter_and_wait(client: ChatClient, text: str) -> list[str]:
    """Do what a user typed, and wait for the answer to it."""
    answer = enter(client, text)
    client.answered.wait(BOUND_S)
    return answer
