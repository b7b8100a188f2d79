"""A lecture: the lines and frames of a room, kept for every tab, and the actions of the tab that drives.

Each tab is sent the news that it has not seen, as fast as it takes them. The lists of news are bounded, so a slow tab
costs no memory; it misses the oldest. Calls that block (the chat, the LAN, the eavesdropper) run in other threads.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from lab.chat.chat_log import Line
from lab.explorer.book import Data
from lab.explorer.live.feed import MOST_FRAMES, Feed
from lab.explorer.live.room import MODES, SERVERS, LiveRoom
from lab.harness.scenarios.report import HOST_OF
from lab.harness.script import Script

POLL_S = 0.02  # how often the recording is looked at
MOST_LINES, MOST_CHAPTERS = 500, 6  # kept for those who come later
FRAMES_AT_ONCE = 500
LONGEST_TEXT = 400  # characters; in UTF-8 still one read of a server on the report wire, with a name
MOST_DELAY_MS, MOST_LOSS_PERCENT = 2000, 50


@dataclass(eq=False)
class View:
    """The place of one tab in the news: the numbers of the last ones that it was sent."""

    seen: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("frames", "newest", "lines"), 0))
    outdated: set[str] = field(default_factory=lambda: {"state", "known"})
    wake: asyncio.Event = field(default_factory=asyncio.Event)  # there may be more
    complete: asyncio.Event = field(default_factory=asyncio.Event)  # the end has been sent


class Lecture:
    """The state that all tabs show, and the actions of the one that drives."""

    def __init__(self, room: LiveRoom, feed: Feed):
        self.room, self.feed = room, feed
        room.notice = self.notice
        self.rows: deque[Data] = deque(maxlen=MOST_FRAMES)
        self.lines: deque[Data] = deque(maxlen=MOST_LINES)
        self.known: dict[int, Data] = {}  # by chapter
        self.newest = 0  # the newest frame with a payload
        self.state: Data = {"delay_ms": 0, "loss_percent": 0, "busy": "", "remark": "", "ended": ""}
        self.views: list[View] = []
        self.opened = asyncio.Event()  # a tab is there
        self._loop = asyncio.get_running_loop()
        self._heard = asyncio.Event()
        self._turn = asyncio.Lock()
        self._said = 0
        # Each may have to wait for the server.
        self._voices = {name: ThreadPoolExecutor(1) for name in HOST_OF}
        self._tasks: set[asyncio.Task[None]] = set()

    # The news

    def notice(self, who: str, line: Line) -> None:
        """Show a line in a user's panel; may be called in any thread."""

        def add() -> None:
            self._said += 1
            self.lines.append({"number": self._said, "who": who, "kind": line.kind, "text": line.text})
            self._wake()

        self._loop.call_soon_threadsafe(add)

    def change(self, **state: Any) -> None:
        self.state |= state
        self._wake("state")

    def read(self) -> bool:
        """Take what has been recorded; return whether there was something."""
        rows = self.feed.read()
        self.rows += rows
        self.newest = max(
            (row["number"] for row in rows if row["segment"] and row["segment"]["length"]),
            default=self.newest,
        )
        if rows:
            self._heard.set()
            self._wake()
        return bool(rows)

    async def follow(self) -> None:
        while True:
            self.read()
            await asyncio.sleep(POLL_S)

    async def eavesdrop(self) -> None:
        """Keep the transcript up to date, in a third of the time at most: it is made anew from all frames."""
        while True:
            await self._heard.wait()
            self._heard.clear()
            started = self._loop.time()
            known = await asyncio.to_thread(self.feed.known)
            self.known[known["chapter"]] = known
            for old in list(self.known)[:-MOST_CHAPTERS]:
                del self.known[old]
            self._wake("known")
            await asyncio.sleep(2 * (self._loop.time() - started))

    def _wake(self, *outdated: str) -> None:
        for view in self.views:
            view.outdated.update(outdated)
            view.wake.set()

    def news(self, view: View) -> Data:
        """Return the news that a tab has not been sent, or the first part of them, and note that it has."""
        seen = view.seen
        found: Data = {}
        if waiting := min(self.feed.count - seen["frames"], len(self.rows)):
            first = len(self.rows) - waiting
            found["frames"] = list(islice(self.rows, first, first + FRAMES_AT_ONCE))
            seen["frames"] = found["frames"][-1]["number"]
        if self.newest > seen["newest"] and seen["frames"] == self.feed.count:
            seen["newest"] = self.newest
            found["newest"] = {"number": self.newest, "data": self.feed.frame(self.newest)}
        if lines := [one for one in self.lines if one["number"] > seen["lines"]]:
            seen["lines"] = lines[-1]["number"]
            found["lines"] = lines
        if "state" in view.outdated:
            found["state"] = self._state_for(view)
        if "known" in view.outdated:
            found["known"] = list(self.known.values())
        view.outdated.clear()
        return found

    def _state_for(self, view: View) -> Data:
        room = self.room
        return self.state | {
            "mode": room.mode,
            "server": room.server,
            "reasons": room.reasons(),
            "between": bool(room.mallory and room.mallory.is_between),
            "reads": room.alice_reads.is_set(),
            "drives": view is self.views[0],
        }

    # The actions

    def act(self, wanted: Data) -> None:
        """Start the action that a tab asks for. Raises KeyError, TypeError or ValueError for an invalid request."""
        actions: dict[str, Callable[..., Awaitable[str | None]]] = {
            "say": self.say, "switch": self.switch, "weather": self.weather, "lose": self.lose, "read": self.let_read,
            "attack": self.attack,
        }  # fmt: skip
        action = actions[wanted.pop("do")]
        task = asyncio.ensure_future(self._carry_out(action(**wanted)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, action: Awaitable[str | None]) -> None:
        """Await an action; show what it returns, or why it failed."""
        try:
            self.change(remark=await action or "")
        except (OSError, KeyError, TypeError, ValueError) as error:  # LanError is a ValueError
            self.change(remark=str(error), busy="")

    async def say(self, who: str, text: str) -> None:
        text = " ".join(text.split())[:LONGEST_TEXT].encode(errors="replace").decode()
        if text:
            await self._loop.run_in_executor(self._voices[who], self.room.say, who, text)

    async def _in_turn(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method that acts on the room, in another thread and one at a time."""
        async with self._turn:
            return await asyncio.to_thread(call, *arguments)

    async def switch(self, mode: str, server: str) -> None:
        if mode not in MODES or server not in SERVERS:
            raise ValueError("unknown mode or server")
        async with self._turn:
            self.change(busy=f"Connecting: {mode}, {server} ...")
            self.feed.begin_chapter()
            await asyncio.to_thread(self.room.switch, mode, server)
            self.change(busy="")

    async def weather(self, delay_ms: float, loss_percent: float) -> None:
        if not (0 <= delay_ms <= MOST_DELAY_MS and 0 <= loss_percent <= MOST_LOSS_PERCENT):
            raise ValueError(f"The delay is at most {MOST_DELAY_MS} ms, the loss {MOST_LOSS_PERCENT} %")
        if self.room.lan:
            rates: Data = {"delay_s": delay_ms / 1000, "loss": loss_percent / 100}
            await self._in_turn(partial(self.room.lan.condition, "server", **rates))
            self.change(delay_ms=delay_ms, loss_percent=loss_percent)

    async def lose(self) -> None:
        if self.room.lan:
            await self._in_turn(self.room.lan.order, "drop the first data segment from server")

    async def attack(self, how: str) -> str:
        if how not in ("reset", "speak", "between"):
            raise ValueError("unknown attack")
        return await self._in_turn(self.room.attack, how)

    async def let_read(self, reads: bool) -> None:
        async with self._turn:
            (self.room.alice_reads.set if reads else self.room.alice_reads.clear)()

    async def end(self) -> None:
        """End the room, after what is under way. Raises RecordingError where frames are missing."""
        await self._turn.acquire()  # for good: nothing acts on a room that has ended
        self.change(busy="Ending ...")
        await asyncio.to_thread(self.room.end)

    async def play(self, script: Script) -> None:
        """Let a script speak, as soon as there is a tab."""
        await self.opened.wait()
        for step, pause_s in zip(script.steps, script.pauses_s, strict=True):
            if step.action == "say":
                await asyncio.sleep(pause_s)
                async with self._turn:
                    pass  # whoever speaks may have to wait for the server, but a switch does not wait for that
                await self.say(step.who, step.text)
