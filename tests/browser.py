"""Headless Chromium, spoken to over its DevTools protocol."""

import contextlib
import itertools
import json
import re
import shutil
import subprocess
import time
import urllib.request

import pytest
import websocket

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *(
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
    ),
]
BOUND_S = 60


class Tab:
    """One tab of the browser: ``call`` a DevTools method, and every event that came, in ``events``."""

    def __init__(self, socket):
        self._socket, self._numbers = socket, itertools.count(1)
        self.events: list[dict] = []

    def call(self, method: str, **parameters) -> dict:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (message := json.loads(self._socket.recv())).get("id") != number:
            self.events.append(message)
        assert "error" not in message, message
        return message["result"]

    def wait_for(self, event: str) -> None:
        while not any(message.get("method") == event for message in self.events):
            self.events.append(json.loads(self._socket.recv()))

    def wait_until(self, condition: str) -> None:
        """Wait until a JavaScript condition is true; the socket's timeout is the bound."""
        look = f"new Promise(done => {{ const look = () => ({condition}) ? done() : setTimeout(look, 20); look() }})"
        assert "exceptionDetails" not in self.call("Runtime.evaluate", expression=look, awaitPromise=True), (
            condition
        )

    def value(self, expression: str):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]["value"]


@contextlib.contextmanager
def browser(profile):
    command = [
        BROWSER,
        *QUIET,
        f"--user-data-dir={profile}",
        "--remote-debugging-port=0",
        "--remote-allow-origins=*",
    ]
    process = subprocess.Popen(
        [*command, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        for line in process.stderr:
            if found := re.search(r"DevTools listening on ws://([^/]+)/", line):
                break
        deadline = time.monotonic() + BOUND_S
        while True:
            tabs = json.load(urllib.request.urlopen(f"http://{found[1]}/json", timeout=BOUND_S))
            tabs = [tab for tab in tabs if tab["type"] == "page"]
            if tabs:
                break
            assert time.monotonic() < deadline
        socket = websocket.create_connection(tabs[0]["webSocketDebuggerUrl"], timeout=BOUND_S)
        yield Tab(socket)
        socket.close()
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        finally:
            process.kill()
