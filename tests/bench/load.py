"""The load generator: many clients in one process, on one epoll, that count what comes instead of reading it.

Every line has the same length and ends in a newline, whatever carries it, so lines are counted with ``bytes.count``;
what the first client gets is kept, and checked line by line once the clock has stopped.
"""

import base64
import os
import re
import select
import socket
import struct
import time

TEXT = "u{sender:05} {number:08} " + "x" * 40  # what each line says
LINE = re.compile(rb"u(\d{5}) (\d{8}) x{40}")
ROUND_S = 60  # a bound: who has not delivered a round by then has lost lines
READ_BYTES = 1 << 16  # with much larger ones, getting the memory for each read costs more than the read
NAME_GAP_S = 0.5  # the report wire's: nothing comes back for a name, and what follows must be another read


class Protocol:
    """The form in which a server takes a line: this one is the report's, with a newline at the end of each message."""

    echoes = True  # whether the sender gets its own line back
    quick_ack = False  # whether the server needs to be spared delayed acknowledgements

    def greeting(self, number: int) -> bytes:
        return f"c{number:05}".encode()

    def welcomed(self, data: bytes) -> bool:
        """Whether what came means that the client is in; here nothing comes."""
        return True

    silent_welcome = True

    def line(self, sender: int, number: int) -> bytes:
        return (TEXT.format(sender=sender, number=number) + "\n").encode()


class Lines(Protocol):
    """The json wire."""

    silent_welcome = False

    def greeting(self, number: int) -> bytes:
        return f'{{"event":"join","name":"c{number:05}"}}\n'.encode()

    def welcomed(self, data: bytes) -> bool:
        return b'"welcome"' in data

    def line(self, sender: int, number: int) -> bytes:
        return f'{{"event":"say","text":"{TEXT.format(sender=sender, number=number)}"}}\n'.encode()


class WebSocket(Protocol):
    """RFC 6455, with a masking key of zeros, which leaves the text as it is."""

    silent_welcome = False

    def greeting(self, number: int) -> bytes:
        key = base64.b64encode(os.urandom(16)).decode()
        return (
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode() + self._frame(f"c{number:05}".encode())

    def welcomed(self, data: bytes) -> bool:
        return b"\r\n\r\n" in data

    def line(self, sender: int, number: int) -> bytes:
        return self._frame((TEXT.format(sender=sender, number=number) + "\n").encode())

    @staticmethod
    def _frame(payload: bytes) -> bytes:
        return struct.pack("!BB4x", 0x81, 0x80 | len(payload)) + payload


class Irc(Protocol):
    """RFC 2812, one channel."""

    echoes = False
    quick_ack = True
    silent_welcome = False

    def greeting(self, number: int) -> bytes:
        return f"NICK c{number:05}\r\nUSER c 0 * :c\r\nJOIN #lab\r\n".encode()

    def welcomed(self, data: bytes) -> bool:
        return b" 366 " in data  # the end of the channel's list of names

    def line(self, sender: int, number: int) -> bytes:
        return f"PRIVMSG #lab :{TEXT.format(sender=sender, number=number)}\r\n".encode()


PROTOCOLS = {
    "ours, json wire": Lines(),
    "before, json wire": Lines(),
    "framed": Lines(),
    "broadcaster": Lines(),
    "websockets": WebSocket(),
    "ngircd": Irc(),
}


class Crowd:
    """``count`` clients of one server. A context manager; ``cpu_s`` is what this process has used since it was made."""

    def __init__(self, server: str, port: int, count: int):
        self.protocol = PROTOCOLS.get(server, Protocol())
        self.port, self.count = port, count
        self.sockets: list[socket.socket] = []
        self.poll = select.epoll()
        self.by_fd: dict[int, int] = {}
        self.kept: list[bytes] = []  # what the first client got
        self.lines = 0

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *_) -> None:
        for sock in self.sockets:
            sock.close()
        self.poll.close()

    def connect(self, together: int = 64, gap_s: float = 0) -> float:
        """Connect all, ``together`` at a time, and log them in; returns the seconds until the last one was.

        ``gap_s`` goes before each, for a server that cannot take them faster.
        """
        started = time.perf_counter()
        waiting: dict[int, socket.socket] = {}
        poll = select.epoll()
        number = welcomed = 0
        heard: dict[int, bytes] = {}
        while welcomed < self.count:
            while number < self.count and len(waiting) < together:
                if gap_s:
                    time.sleep(gap_s)
                sock = socket.socket()
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect_ex(("127.0.0.1", self.port))
                waiting[sock.fileno()] = sock
                self.by_fd[sock.fileno()] = number
                self.sockets.append(sock)
                poll.register(sock, select.EPOLLOUT)
                number += 1
            events = poll.poll(ROUND_S)
            assert events, f"only {welcomed} of {self.count} clients were let in"
            for fd, event in events:
                sock = waiting[fd]
                if event & select.EPOLLOUT:
                    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    assert not error, f"connection {self.by_fd[fd]}: {os.strerror(error)}"
                    sock.send(self.protocol.greeting(self.by_fd[fd]))
                    heard[fd] = b""
                    if not self.protocol.silent_welcome:
                        poll.modify(fd, select.EPOLLIN)
                        continue
                else:
                    data = sock.recv(READ_BYTES)
                    assert data, "the server closed the connection"
                    heard[fd] = heard[fd][-100:] + data
                if self.protocol.welcomed(heard[fd]):
                    poll.unregister(fd)
                    del waiting[fd]
                    self.poll.register(fd, select.EPOLLIN)
                    welcomed += 1
        poll.close()
        elapsed = time.perf_counter() - started
        if self.protocol.silent_welcome:
            time.sleep(NAME_GAP_S)
        return elapsed

    def settle(self, bound_s: float = ROUND_S) -> None:
        """Wait until a line of the first client has reached everyone, and all that came before it has been read."""
        deadline = time.perf_counter() + bound_s
        missing = set(range(self.count)) if self.protocol.echoes else set(range(1, self.count))
        mark = f"u{99_999:05}".encode()
        due, pause = 0.0, 0.25
        tails: dict[int, bytes] = {}
        while missing:
            if time.perf_counter() > due:  # again: on the report wire nobody knows when all have been let in
                self.sockets[0].send(self.protocol.line(99_999, 0))
                due, pause = time.perf_counter() + pause, 1.5 * pause
            assert time.perf_counter() < deadline, f"{len(missing)} clients never got a line"
            for fd, _ in self.poll.poll(0.05):
                number = self.by_fd[fd]
                data = tails.get(fd, b"") + self.sockets[number].recv(READ_BYTES)
                if mark in data:
                    missing.discard(number)
                tails[fd] = data[-10:]
        quiet = time.perf_counter()
        while time.perf_counter() - quiet < 0.3:
            for fd, _ in self.poll.poll(0.1):
                self.sockets[self.by_fd[fd]].recv(READ_BYTES)
                quiet = time.perf_counter()

    def receive(self, target: int) -> int:
        """Read until ``target`` lines have come; returns how many did within ROUND_S."""
        got, deadline = 0, time.perf_counter() + ROUND_S
        quick_ack = self.protocol.quick_ack
        buffer = bytearray(READ_BYTES)
        reads = {sock.fileno(): sock.recv_into for sock in self.sockets}
        first = self.sockets[0].fileno()
        while got < target:
            events = self.poll.poll(1)
            if not events and time.perf_counter() > deadline:
                break
            for fd, _ in events:
                size = reads[fd](buffer)
                assert size, f"the server has dropped client {self.by_fd[fd]}"
                if quick_ack:
                    self.sockets[self.by_fd[fd]].setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                if fd == first:
                    self.kept.append(bytes(buffer[:size]))
                got += buffer.count(b"\n", 0, size)
        return got

    def rounds(self, seconds: float) -> dict:
        """Everyone says a line and waits until it has reached all, again and again; what came, and how fast."""
        hearers = self.count - (not self.protocol.echoes)
        started, cpu = time.perf_counter(), time.process_time()
        number = lost = 0
        while time.perf_counter() - started < seconds or not number:
            for sender, sock in enumerate(self.sockets):
                sock.send(self.protocol.line(sender, number))
            got = self.receive(self.count * hearers)
            lost += self.count * hearers - got
            number += 1
        elapsed = time.perf_counter() - started
        heard = LINE.findall(b"".join(self.kept))
        wanted = number * hearers
        in_order = self._in_order(heard)
        return {
            "lines_per_s": number * self.count * hearers / elapsed,
            "lines": number * self.count * hearers,
            "rounds": number,
            "lost": lost,
            "torn_at_one_client": wanted - len(heard) if in_order else wanted,
            "generator_cpu": (time.process_time() - cpu) / elapsed,
        }

    @staticmethod
    def _in_order(heard: list[tuple[bytes, bytes]]) -> bool:
        last: dict[bytes, bytes] = {}
        for sender, number in heard:
            if number <= last.get(sender, b""):
                return False
            last[sender] = number
        return True

    def at_rate(self, rate: float, seconds: float) -> dict:
        """Lines at a fixed rate, whatever comes back; latencies of every delivery, in milliseconds."""
        total = int(rate * seconds)
        sent_at, latencies = [], []
        started, cpu = time.perf_counter(), time.process_time()
        hearers = self.count - (not self.protocol.echoes)
        tails = [b""] * self.count
        deadline = started + seconds + ROUND_S
        while len(latencies) < total * hearers and time.perf_counter() < deadline:
            now = time.perf_counter()
            while len(sent_at) < total and now >= started + len(sent_at) / rate:
                sender = len(sent_at) % self.count
                sent_at.append(time.perf_counter())
                self.sockets[sender].send(self.protocol.line(sender, len(sent_at) - 1))
            pause = started + len(sent_at) / rate - time.perf_counter() if len(sent_at) < total else 1
            for fd, _ in self.poll.poll(max(0, pause)):
                number = self.by_fd[fd]
                data = tails[number] + self.sockets[number].recv(READ_BYTES)
                if self.protocol.quick_ack:
                    self.sockets[number].setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                now, end = time.perf_counter(), 0
                for found in LINE.finditer(data):
                    latencies.append(now - sent_at[int(found[2])])
                    end = found.end()
                tails[number] = data[end:][-2_000:]
        latencies.sort()
        return {
            "sent": total,
            "lost": total * hearers - len(latencies),
            "p50_ms": 1_000 * latencies[len(latencies) // 2] if latencies else None,
            "p99_ms": 1_000 * latencies[int(len(latencies) * 0.99)] if latencies else None,
            "generator_cpu": (time.process_time() - cpu) / (time.perf_counter() - started),
        }
