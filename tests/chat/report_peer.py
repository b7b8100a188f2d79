"""The report's own client, from ``lab.stages.report_client``, as a peer of our programs that a test can wait with."""

import io
import pickle
import re
import threading
import time

from lab.stages import report_client

WAITS_S = 5

# Where a text ends, in what TCP may have glued: before what a line, a notice or a pickle begins with. (No byte of a
# character is 80 hex with such a small one behind; what the tests say has no "<" in it.)
TEXT = re.compile(rb"\*\*\* .*? \*\*\*|.+?(?=<|\*\*\* |\x80[\x02-\x05]|\Z)", re.DOTALL)


class ReportClient(report_client.ReportClient):
    """Connect, send the name, then the two commands while the window opens.

    ``messages_read`` has what the original makes of each read: of several messages that TCP glued, the first, or bytes
    that it cannot use. No test can count on them, unless it knows that the server waited: ``until`` takes the messages
    apart.
    """

    def __init__(self, name: str, port: int, host: str = "127.0.0.1", open_window: bool = True):
        super().__init__(name, port, host)
        self.socket.settimeout(30)
        self.messages_read: list = []
        self._unread = bytearray()  # received, and not yet passed by ``until``
        self._ended = False
        self._news = threading.Condition()
        threading.Thread(target=self._receive, daemon=True).start()
        if open_window:
            self.open_window()

    def open_window(self) -> None:
        time.sleep(report_client.WINDOW_OPENS_S)
        self.send("!ShowUserHasConnected")
        with self._news:  # on a busy machine a gap alone would not keep the two commands apart
            self._news.wait_for(lambda: f"*** {self.name} Connected".encode() in self._unread, WAITS_S)
        self.send("!GetAllActiveUsers")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.send("!Exit")
        except OSError:
            pass
        self.socket.close()

    def _receive(self):
        for data in self.reads():
            with self._news:
                self.messages_read.append(self._read(data))
                self._unread += data
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @staticmethod
    def _read(data: bytes):
        try:
            return report_client.read_message(data)
        except Exception:
            return data

    def until(self, wanted, bound_s: float = 10) -> list:
        """Every message up to and with the first that equals ``wanted`` (or for which it is true); None is the end."""
        met = wanted if callable(wanted) else lambda message: message == wanted
        with self._news:
            self._news.wait_for(
                lambda: self._ended or any(met(message) for message, _ in self._messages()), bound_s
            )
            passed = []
            for message, end in self._messages():
                passed.append(message)
                if met(message):
                    del self._unread[:end]
                    return passed
        raise AssertionError(f"{wanted!r} never came; what did: {passed}")

    def _messages(self):
        """(message, where it ends) of each that is unread."""
        end = 0
        while end < len(self._unread):
            if self._unread[end] == 0x80:
                file = io.BytesIO(self._unread[end:])
                try:
                    message = pickle.load(file)
                except Exception:  # its rest is still to come
                    break
                end += file.tell()
            else:
                text = TEXT.match(self._unread, end)
                message, end = text[0].decode(errors="replace"), text.end()
            yield message, end
        if self._ended:
            yield None, end
