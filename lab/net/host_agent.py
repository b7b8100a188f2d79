"""Calls to a process on a host: a request and its response, as JSON, over a socket pair.

``HostAgent`` starts this module as a program in another namespace. There it makes one object of the class that is named
and carries out one of its methods for each request. Whatever goes wrong is an error with a name: one that the caller
expects is raised again as what it is, any other as ``HostAgentError``. Every call has a deadline. The program ends when
its end of the socket pair is closed, and therefore with its caller.

    request    {"id": 7, "call": "open_socket", "with": {"host": 0, "kind": []}}
    response   {"id": 7, "result": null}
    or         {"id": 7, "error": "LanRefused", "text": "Operation not permitted"}

Before each message stands its length, four bytes in network order, at most ``MESSAGE_BYTES``. File descriptors travel
with a response (``unix(7)``, SCM_RIGHTS). ``Channel``, ``Caller`` and ``answer`` also serve the switch and the attach
point, which are not started as agents. Linux only.
"""

import importlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from lab.net.namespace import end

# A switch's log of its actions is the longest message: 10,000 for each way of each cable.
MESSAGE_BYTES = 64 << 20
DESCRIPTORS = 253  # the most that one message carries (SCM_MAX_FD)
ANSWER_S = 20
STOP_S = 10
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class HostAgentError(OSError):
    """The process has ended, does not answer in time, or failed unexpectedly; the text says which."""


class Answer(NamedTuple):
    """The return value of a method that also hands out descriptors; with ``close`` they are closed here once sent."""

    result: Any
    descriptors: list[int]
    close: bool = False


class Channel:
    """One end of a connection that carries messages. All methods raise OSError, TimeoutError after a deadline."""

    def __init__(self, sock: socket.socket):
        self.socket = sock

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(
        self, message: dict[str, Any], descriptors: Iterable[int] = (), deadline: float | None = None
    ) -> None:
        if deadline is not None:
            self._set_deadline(deadline)
        data = json.dumps(message).encode()
        if len(data) > MESSAGE_BYTES:
            raise HostAgentError(f"a message of {len(data)} bytes is longer than {MESSAGE_BYTES}")
        socket.send_fds(self.socket, [len(data).to_bytes(4, "big")], list(descriptors))
        self.socket.sendall(data)

    def receive(self, deadline: float | None = None) -> tuple[dict[str, Any], list[int]] | None:
        """Return the next message and the descriptors that came with it, or None: the other end has closed.

        ``deadline`` is a time of ``time.monotonic``. Raises HostAgentError for anything but a JSON object.
        """
        self._set_deadline(deadline)
        header, descriptors, _, _ = socket.recv_fds(self.socket, 4, DESCRIPTORS)
        header += self._receive_bytes(4 - len(header), deadline) if header else b""
        length = int.from_bytes(header, "big")
        if len(header) < 4 or length > MESSAGE_BYTES:
            return None
        data = self._receive_bytes(length, deadline)
        if len(data) < length:
            return None
        try:
            message = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise HostAgentError("a message is not JSON") from error
        if not isinstance(message, dict):
            raise HostAgentError("a message is not a JSON object")
        return message, descriptors

    def _receive_bytes(self, length: int, deadline: float | None) -> bytes:
        """Return so many bytes; fewer where the other end closes before."""
        data = bytearray()
        while len(data) < length:
            self._set_deadline(deadline)
            if not (piece := self.socket.recv(min(length - len(data), 1 << 20))):
                break
            data += piece
        return bytes(data)

    def _set_deadline(self, deadline: float | None) -> None:
        self.socket.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))


class Caller:
    """The side that calls. ``name`` is what errors call the other side; ``errors`` are raised as what they are."""

    def __init__(self, sock: socket.socket, name: str, errors: Iterable[type[Exception]] = ()):
        self.name = name
        self.descriptors: list[int] = []  # those that came with the last response
        self.is_waiting = False  # for a response
        self._channel = Channel(sock)
        self._errors = {error.__name__: error for error in errors}
        self._ids = itertools.count(1)

    def call(self, method: str, within_s: float = ANSWER_S, **arguments: Any) -> Any:
        """Return the result of a method. Raises one of the errors expected, or HostAgentError."""
        number, deadline = next(self._ids), time.monotonic() + within_s
        self.is_waiting = True
        try:
            self._channel.send({"id": number, "call": method, "with": arguments}, deadline=deadline)
            while (received := self._channel.receive(deadline)) and received[0].get("id") != number:
                pass  # a response to a call whose deadline has passed
        except TimeoutError:
            raise HostAgentError(f"{self.name} has not answered within {within_s:g} s") from None
        except HostAgentError:
            raise
        except OSError:
            received = None
        if received is None:
            raise HostAgentError(f"{self.name} has ended")
        self.is_waiting = False
        response, self.descriptors = received
        if "error" not in response:
            return response["result"]
        if expected := self._errors.get(response["error"]):
            raise expected(response["text"])
        raise HostAgentError(f"{response['text']} ({response['error']})")

    def close(self) -> None:
        """Close the connection, by which the other side ends. May be called twice."""
        self._channel.socket.close()


class HostAgent(Caller):
    """A process that answers calls: an object of the class ``target`` ("module:Class").

    It is started by ``popen``, which has the face of ``subprocess.Popen``, for instance ``Host.popen``.
    """

    def __init__(
        self,
        popen: Callable[..., "subprocess.Popen[Any]"],
        target: str,
        name: str = "the process",
        errors: Iterable[type[Exception]] = (),
        pass_fds: Iterable[int] = (),
    ):
        ours, its = socket.socketpair()
        super().__init__(ours, name, errors)
        with its:
            try:
                self.process = popen(
                    [sys.executable, "-m", "lab.net.host_agent", str(its.fileno()), target],
                    pass_fds=(its.fileno(), *pass_fds),
                    stdin=subprocess.DEVNULL,
                    cwd=ROOT,
                    start_new_session=True,  # Ctrl-C is for the caller, which passes it on once
                )
            except BaseException:
                ours.close()  # by which the process ends, if there is one already
                raise

    def __enter__(self) -> "HostAgent":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None and self.is_waiting and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # it is in the middle of a call
        self.close()

    def close(self, within_s: float = STOP_S) -> None:
        """Close the connection and wait for the end of the process. May be called twice."""
        super().close()
        end(self.process, within_s)


# The side that answers


def answer(channel: Channel, request: dict[str, Any], target: object) -> None:
    """Carry out one request by a method of ``target`` and send the response. Raises OSError where nobody listens."""
    answered = Answer(None, [])
    response: dict[str, Any] = {"id": request.get("id")}
    try:
        if request["call"].startswith("_"):
            raise AttributeError(request["call"])
        result = getattr(target, request["call"])(**request["with"])
        answered = result if isinstance(result, Answer) else Answer(result, [])
        response["result"] = answered.result
    except Exception as error:  # report any failure to the caller
        text = str(error)
        if isinstance(error, OSError) and error.strerror and not error.filename:
            text = error.strerror  # without the number in front
        response |= {"error": type(error).__name__, "text": text}
    channel.send(response, answered.descriptors)
    if answered.close:
        for descriptor in answered.descriptors:
            os.close(descriptor)


def main(arguments: list[str]) -> int:
    channel = Channel(socket.socket(fileno=int(arguments[0])))
    module, _, name = arguments[1].partition(":")
    try:
        target = getattr(importlib.import_module(module), name)()
        while (received := channel.receive()) is not None:
            answer(channel, received[0], target)
    except ConnectionError:
        pass  # the caller has gone
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    # This module, under the name by which the target's module knows its classes.
    from lab.net import host_agent

    sys.exit(host_agent.main(sys.argv[1:]))
