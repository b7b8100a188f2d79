"""A way into a running room from another terminal: ``python3 lab room --shell PC1``.

The room listens on a Unix socket in Linux's abstract name space, which has no file and is gone with the room. It is
named for the user and the checkout, and the kernel tells who knocks (``SO_PEERCRED``): nobody else gets in. Who knocks
names a host and gets descriptors of its namespaces, with which a program can be started there
(``namespace.join_launcher``). The first room has the door; further ones of the same checkout go without.
"""

import hashlib
import json
import os
import socket
import struct
import subprocess
import threading

from lab.net import namespace
from lab.net.lan import Lan
from lab.net.plan import LanError

ANSWER_S = 10
NO_ANSWER = "a room is running, but it does not answer; close it, or try again"


class AttachPoint:
    """Lets the same user in at ``lan`` while it is entered as a context. ``open`` says whether it could be had."""

    def __init__(self, lan: Lan):
        self.lan = lan
        self.open = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def __enter__(self) -> "AttachPoint":
        try:
            self._socket.bind(_address())
        except OSError:
            return self  # another room has it
        self._socket.listen()
        self.open = True
        threading.Thread(target=self._answer_all, daemon=True).start()
        return self

    def __exit__(self, *_):
        if self.open:
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread, which close() alone would not
        self._socket.close()

    def _answer_all(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            # A thread for each: a silent one keeps nobody waiting.
            threading.Thread(target=self._answer_one, args=[visitor], daemon=True).start()

    def _answer_one(self, visitor: socket.socket) -> None:
        with visitor:
            visitor.settimeout(ANSWER_S)
            try:
                if _user_at(visitor) == os.geteuid():
                    self._answer(visitor)
            except OSError:
                pass  # it has gone again

    def _answer(self, visitor: socket.socket) -> None:
        try:
            host = self.lan[visitor.recv(1000).decode()]
            user, pid = self.lan.descriptors()
        except (LanError, UnicodeDecodeError) as error:
            visitor.send(json.dumps({"error": str(error)}).encode())
            return
        descriptors = [one for one in (user, pid, host.network) if one is not None]
        answer = {"name": host.name, "addresses": host.addresses, "new_user": user is not None}
        socket.send_fds(visitor, [json.dumps(answer).encode()], descriptors)


def attach_to(host_name: str) -> tuple[dict, list[int | None]] | None:
    """(what the room says of the host, its descriptors: user, pid, network) or None where no room is running.

    Raises LanError for a host that the room does not have, and for a room that does not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.settimeout(ANSWER_S)
        try:
            door.connect(_address())
        except ConnectionRefusedError:
            return None
        except OSError as error:  # its queue of visitors is full
            raise LanError(NO_ANSWER) from error
        if _user_at(door) != os.geteuid():
            return None  # somebody else has taken the name, which anybody can
        try:
            door.send(host_name.encode())
            text, descriptors, *_ = socket.recv_fds(door, 10_000, 3)
        except OSError as error:
            raise LanError(NO_ANSWER) from error
    answer = json.loads(text or b'{"error": "the room closed the door"}')
    if "error" in answer:
        raise LanError(answer["error"])
    return answer, descriptors if answer["new_user"] else [None, *descriptors]


def popen_at(descriptors: list[int | None], command: list[str], **options) -> subprocess.Popen:
    """Start a program at the host whose descriptors these are."""
    inherited = [one for one in descriptors if one is not None]
    return subprocess.Popen(namespace.join_launcher(command, *descriptors), pass_fds=inherited, **options)


def _address() -> str:
    checkout = hashlib.sha256(os.fsencode(os.path.dirname(os.path.abspath(__file__)))).hexdigest()[:16]
    return f"\0lab-room-{os.geteuid()}-{checkout}"


def _user_at(connection: socket.socket) -> int:
    """The user id at the other end."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[1]
