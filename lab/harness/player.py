"""The script player: real clients that do what a script says, step by step.

A step is over when everyone in the room has received its broadcast, which the player sees; it waits for a time only to
keep the pace of people, where the script has one (``pace_s``). On the report wire that also keeps one read one message,
so that a script plays the same every time. A user's arrival is the one step that no client sees there; the server's
console shows it.
"""

import queue
import time
from collections.abc import Callable, Iterable
from typing import Any

from lab.chat import events
from lab.chat.client import ChatClient
from lab.chat.events import Event, Lost
from lab.chat.wires import WIRES
from lab.harness.remote_chat import STEP_S, ConsoleLog
from lab.harness.script import Script, Step
from lab.harness.tap import RecordingError


class Player:
    """Plays a script with one client for each user. ``events`` is what happened, with the time of each send.

    ``make_client`` returns the client of a user's name; ``after_step`` may wait for more than the clients can see.
    """

    def __init__(
        self,
        script: Script,
        wire: str,
        make_client: Callable[[str], ChatClient],
        log: ConsoleLog,
        after_step: Callable[[], None] = lambda: None,
    ):
        self.script, self._log, self._wire = script, log, WIRES[wire]
        self._make_client, self._after_step = make_client, after_step
        self._present: dict[str, ChatClient] = {}
        self.started_ns = time.time_ns()
        self.users: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.tls_version: str | None = None
        self.cipher: str | None = None

    def play(self) -> None:
        """Play every step in turn. Clients that are still there when something fails are closed all the same."""
        try:
            for step, pause_s in zip(self.script.steps, self.script.pauses_s, strict=True):
                if step.action == "tell" and not self._wire.has_commands:
                    continue  # the report wire has no private messages
                time.sleep(pause_s)
                self._note(step)
                self._do(step)
                self._after_step()
        finally:
            for client in self._present.values():
                client.leave()

    def _note(self, step: Step) -> None:
        """Write down what is about to happen, and when."""
        said = {"text": step.text, "to": step.to, "vote": step.vote}
        event = {"time_ns": time.time_ns(), "who": step.who, "action": step.action}
        self.events.append(event | {key: value for key, value in said.items() if value})

    def _do(self, step: Step) -> None:
        match step.action:
            case "join":
                self._join(step.who)
            case "say":
                self._present[step.who].say(step.text)
                self._get(
                    self._present, lambda event: isinstance(event, events.Said) and event.text == step.text
                )
            case "tell":
                self._present[step.who].say_to(step.to, step.text)
                said = lambda event: isinstance(event, events.SaidTo) and event.text == step.text  # noqa: E731
                self._get((step.who, step.to), said)
            case "leave":
                self._present.pop(step.who).leave()
                left = events.Left(step.who) if self._wire.welcomes else events.Users(tuple(self._present))
                self._get(self._present, left.__eq__)

    def _join(self, name: str) -> None:
        client = self._make_client(name)
        self._present[name] = client
        client.connect()
        self._log.wait_for(f"*** {name} Connected ")
        connection = client.connection
        assert connection is not None
        self.tls_version, self.cipher = connection.tls_version, connection.cipher
        address, port = connection.local[:2]
        self.users.append({"name": name, "address": address, "port": port})
        if self._wire.welcomes:
            self._get([name], lambda event: isinstance(event, events.Welcome))
            self._get(self._present, events.Joined(name).__eq__)
            return
        client.announce()
        self._get(self._present, events.Announced(name).__eq__)
        client.ask_users()
        self._get(self._present, events.Users(tuple(self._present)).__eq__)

    def _get(self, names: Iterable[str], is_expected: Callable[[Event], bool]) -> None:
        """Wait until each of them has received what is expected, and nothing else before it."""
        for name in names:
            try:
                got = self._present[name].events.get(timeout=STEP_S)
            except queue.Empty:
                raise RecordingError(f"{name} received nothing after the step {self.events[-1]}") from None
            if is_expected(got) is not True:
                what = f"the connection was lost: {got.reason}" if isinstance(got, Lost) else f"got {got!r}"
                raise RecordingError(f"{name} should have heard of the step {self.events[-1]}, but {what}")
