"""The page of a lecture, on 127.0.0.1 alone, and a WebSocket for each tab that shows it.

The address holds a random token, and a WebSocket is refused unless its Origin is this page: no other page, and no other
user of the machine, can watch or type. The first tab drives; others watch, until they are the first.
"""

import asyncio
import contextlib
import json
import secrets
import signal
from collections.abc import Callable
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from lab.explorer.live.feed import Feed
from lab.explorer.live.lecture import Lecture, View
from lab.explorer.live.room import KITS_SERVER, LiveRoom
from lab.explorer.page import WEB, as_json, join_modules, read_style, render
from lab.harness.script import Script
from lab.harness.session import LOOPBACK

LONGEST_MESSAGE = 4096  # bytes, from a tab
FAREWELL_S = 5  # until the tabs must have taken the last frames


class Page(RequestHandler):
    """The page; its script and its style are in it."""

    def get(self) -> None:
        self.finish(self.settings["page"])

    def prepare(self) -> None:
        if f"http://{self.request.host}" != self.settings["origin"]:  # another name for this address
            raise HTTPError(403)

    def set_default_headers(self) -> None:
        self.set_header("Referrer-Policy", "no-referrer")  # the address is a secret
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Frame-Options", "DENY")


class Tab(WebSocketHandler):
    """A tab's connection."""

    def initialize(self) -> None:
        self.lecture: Lecture = self.settings["lecture"]
        self.view = View()

    def check_origin(self, origin: str) -> bool:
        return bool(origin == self.settings["origin"])

    def open(self, *_: str) -> None:
        self.lecture.views.append(self.view)
        self.lecture.opened.set()
        self.pump = asyncio.ensure_future(self._pump())

    async def _pump(self) -> None:
        with contextlib.suppress(WebSocketClosedError):
            while True:
                self.view.wake.clear()
                while news := self.lecture.news(self.view):
                    await self.write_message(news)
                if self.lecture.state["ended"]:
                    self.view.complete.set()
                await self.view.wake.wait()

    async def on_message(self, message: str | bytes) -> None:
        try:
            wanted = json.loads(message)
            if wanted["do"] == "frame":
                number = int(wanted["number"])
                frame = {"number": number, "data": self.lecture.feed.frame(number)}
                await self.write_message({"frame": frame})
            elif self.view is self.lecture.views[0]:
                self.lecture.act(wanted)
        except (KeyError, TypeError, ValueError):
            self.close(1008, "not a request of this page")

    def on_close(self) -> None:
        self.pump.cancel()
        self.lecture.views.remove(self.view)
        self.lecture.change()  # the next one may drive now


async def serve(room: LiveRoom, script: Script | None, announce: Callable[[str], None]) -> int:
    """Show a room, which has been started, until a signal ends it; return how many frames were read from the recording.

    Raises OSError, also where frames are missing.
    """
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def end(*_: object) -> None:
        # Where the loop is closed, a second signal does not stop the manifest.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(ended.set)

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Ctrl-C, and a terminal that is closed
        if number := getattr(signal, name, None):
            signal.signal(number, end)
    sockets = bind_sockets(0, LOOPBACK)
    address = f"{LOOPBACK}:{sockets[0].getsockname()[1]}"
    origin, token = f"http://{address}", secrets.token_urlsafe(16)
    lecture = Lecture(room, Feed(room.path, room.lane_of))
    style, script_text = read_style() + (WEB / "live.css").read_text("utf-8"), join_modules("live.js")
    about = as_json(room.about())
    page = render("live.html", address=address, about=about, style=style, script=script_text)
    settings: dict[str, Any] = {"origin": origin, "page": page, "lecture": lecture}
    settings |= {"log_function": lambda _: None, "websocket_max_message_size": LONGEST_MESSAGE}
    server = HTTPServer(Application([(f"/{token}/", Page), (f"/{token}/socket", Tab)], **settings))
    server.add_sockets(sockets)
    tasks = [asyncio.ensure_future(one) for one in (lecture.follow(), lecture.eavesdrop())]
    for task in tasks:
        task.add_done_callback(lambda _: ended.set())  # it has failed
    await lecture.switch("plaintext", KITS_SERVER)
    announce(f"{origin}/{token}/")
    tasks += [asyncio.ensure_future(lecture.play(script))] if script else []
    await ended.wait()
    await lecture.end()
    for task in tasks:
        if not task.cancel() and (error := task.exception()):
            raise error
    while lecture.read():
        pass
    lecture.change(busy="", ended=f"The lecture has ended. Recorded: {room.path}, {room.frames} frames.")
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.gather(*(view.complete.wait() for view in lecture.views)), FAREWELL_S)
    server.stop()
    return lecture.feed.count
