"""A way into a running room from another terminal: ``python3 lab room --shell PC1``.

The room listens on a Unix socket in Linux's abstract name space, which has no file and disappears with the room. The
socket is named after the user and the checkout, and the kernel says which user connects (``SO_PEERCRED``): nobody else
gets in. The visitor names a host and receives descriptors of its namespaces, with which it can start a program there
(``namespace.popen_joined``). Of several rooms of one checkout, the first has the attach point.
"""

import hashlib
import os
import socket
import struct
import threading
import time
from typing import Any

from lab.net.host_agent import Answer, Caller, Channel, HostAgentError, answer
from lab.net.lan import Lan
from lab.net.plan import LanError

ANSWER_S = 10
NO_ANSWER = "a room is running, but it does not answer; close it, or try again"


class AttachPoint:
    """Lets the same user in at ``lan`` while it is entered as a context. ``open`` says whether no other room has it."""

    def __init__(self, lan: Lan):
        self.open = False
        self._lan = lan
        self._socket = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> "AttachPoint":
        try:
            self._socket.bind(socket_name())
        except OSError:
            return self  # another room has it
        self._socket.listen()
        self.open = True
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.open:
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread, which close() alone would not
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            # A thread for each visitor: a silent one delays nobody.
            threading.Thread(target=self._receive_visitor, args=[visitor], daemon=True).start()

    def _receive_visitor(self, visitor: socket.socket) -> None:
        with visitor:
            try:
                if _user_at(visitor) != os.geteuid():
                    return
                channel = Channel(visitor)
                if received := channel.receive(time.monotonic() + ANSWER_S):
                    answer(channel, received[0], self)
            except OSError:
                pass  # the visitor has gone

    def attach(self, host_name: str) -> Answer:
        """Hand out the descriptors of a host: the one thing that a visitor may call."""
        host = self._lan[host_name]
        about = {"name": host.name, "addresses": host.addresses}
        return Answer(about, [*self._lan.descriptors(), host.network])


def attach_to(host_name: str) -> tuple[dict[str, Any], list[int]] | None:
    """Return what the room says about the host and descriptors of its user, pid and network namespace.

    Return None where no room is running. Raises LanError for a host that the room does not have, and for a room that
    does not answer.
    """
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.settimeout(ANSWER_S)
        try:
            visitor.connect(socket_name())
        except ConnectionRefusedError:
            return None
        except OSError as error:  # its queue of visitors is full
            raise LanError(NO_ANSWER) from error
        if _user_at(visitor) != os.geteuid():
            return None  # another user has taken the name, as anybody can
        caller = Caller(visitor, "the room", [LanError])
        try:
            about = caller.call("attach", within_s=ANSWER_S, host_name=host_name)
        except HostAgentError as error:
            raise LanError(NO_ANSWER) from error
    return about, caller.descriptors


def socket_name() -> str:
    checkout = hashlib.sha256(os.fsencode(os.path.dirname(os.path.abspath(__file__)))).hexdigest()[:16]
    return f"\0lab-room-{os.geteuid()}-{checkout}"


def _user_at(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])
