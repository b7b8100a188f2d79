"""Run a student's code in this process: receive calls, return plain results. Needs no kit.

    python -I -S runner.py SHEET.py [MEMORY_BYTES]

Standard library only. It reads messages (pickles, which can be read fast) from standard input and writes a line (JSON,
which can be read safely) for each to the original standard output. Both are replaced before the student's file is loaded:
whatever the file prints goes to standard error, and its input is empty. What is right is not known here.

    {"load": "sheet_07_threads.py"}  -> {"ready": true}
    {"id": 1, "requests": [...]}     -> {"id": 1, "answers": [...]}

The first continues with another file of the same folder, and is answered like the start. Each of the ``requests`` is
pickled by itself (``dump``), and the answers end with the first error ("kind", "text", "line", "not_attempted"):

    {"call": "parse_tcp", "arguments": [...]}                          -> {"result": ...}
    {"make": "LineDecoder", "arguments": [], "calls": [["feed", []]]}  -> {"result": [{"result": ...}]}
    any that fails                                                     -> {"error": {...}}

JSON has no bytes, tuples or sets, so ``pack`` marks them in results, and its inverse ``unpack`` restores them.
"""

import gc
import importlib.util
import io
import json
import os
import pickle
import sys
import traceback
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

LONGEST_TEXT = 300  # characters kept of an error's text
MOST_KEYS = 2_000  # of a set or dict
GARBAGE = 100_000  # new objects between two searches for cycles: arguments are many objects and have none
AS_IT_IS = frozenset((str, int, bool, type(None)))


class Member:
    """A member of the chat room, for the exercise on broadcasting; it stands for a non-blocking socket.

    ``takes`` lists how many bytes each ``send`` can take, one after another (the last number repeats
    forever). If that is 0, ``send`` raises BlockingIOError, as a full non-blocking socket does. If the member
    is ``gone``, ``send`` raises ConnectionResetError. ``pending`` holds the bytes still to be sent to it.
    """

    def __init__(
        self, name: str, takes: Iterable[int] = (1 << 30,), gone: bool = False, pending: bytes = b""
    ) -> None:
        self.name = name
        self.pending = bytearray(pending)
        self._takes, self._gone, self._sent, self._sends = list(takes), gone, bytearray(), 0

    def __repr__(self) -> str:
        return f"<Member {self.name}>"

    def send(self, data: bytes) -> int:
        """Send what fits now and return the number of bytes sent, as ``socket.send`` does."""
        self._sends += 1
        if self._gone:
            raise ConnectionResetError(104, "Connection reset by peer")
        room = self._takes.pop(0) if len(self._takes) > 1 else self._takes[0]
        if room <= 0:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        sent = bytes(data)[:room]
        self._sent += sent
        return len(sent)

    def sendall(self, data: bytes) -> None:
        """Send everything, however long the other side takes, as ``socket.sendall`` does."""
        data = bytes(data)
        while data:
            try:
                data = data[self.send(data) :]
            except BlockingIOError:
                if self._takes == [0]:  # no reads will follow: this is the frozen room
                    import threading

                    threading.Event().wait()

    def state(self) -> dict[str, Any]:
        sent, pending = bytes(self._sent), bytes(self.pending)
        return {"name": self.name, "sent": sent, "pending": pending, "sends": self._sends}


def pack(value: Any) -> Any:
    """Return a value in a form that JSON can carry. Raises TypeError if it is not plain data."""
    if type(value) in AS_IT_IS:  # most values by far; the tests below accept their subclasses too
        return value
    if isinstance(value, list):  # then what is most frequent
        return _pack_all(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"b": bytes(value).hex()}
    if isinstance(value, dict):
        return {"d": [_pack_all(pair) for pair in value.items()]}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return {"f": repr(float(value))}
    if isinstance(value, tuple):
        return {"t": _pack_all(value)}
    if isinstance(value, (set, frozenset)):
        return {
            "s": sorted(_pack_all(value), key=str)
        }  # equal sets in the same order: it differs between processes
    raise TypeError(f"the result contains a {type(value).__name__}, which is not plain Python data")


def _pack_all(values: Iterable[Any]) -> list[Any]:
    return [value if type(value) in AS_IT_IS else pack(value) for value in values]


def unpack(value: Any) -> Any:
    """Return the value that ``pack`` packed. Raises ValueError for anything that ``pack`` does not write.

    The student's process controls it. So sets and dicts are short: with equal hashes they take quadratic time.
    """
    if type(value) in AS_IT_IS:
        return value
    if isinstance(value, list):
        return _unpack_all(value)
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError("not a packed value")
    [(kind, content)] = value.items()
    if kind == "f":
        return float(content)
    if kind == "b":
        return bytes.fromhex(content)
    if kind == "t":
        return tuple(_unpack_all(content))
    if kind == "s" and len(content) <= MOST_KEYS:
        return set(_unpack_all(content))
    if kind == "d" and len(content) <= MOST_KEYS:
        return {unpack(key): unpack(item) for key, item in content}
    raise ValueError("not a packed value")


def _unpack_all(values: Iterable[Any]) -> list[Any]:
    return [value if type(value) in AS_IT_IS else unpack(value) for value in values]


def dump(value: Any) -> bytes:
    """Return plain data and Members as a pickle. Equal values give equal bytes: no object is named twice."""
    file = io.BytesIO()
    pickler = pickle.Pickler(file, 5)
    pickler.fast = True  # deprecated, but nothing else keeps it from naming what it has seen
    pickler.dump(value)
    return file.getvalue()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return the one class that ``dump`` is given; the grader knows it by another module's name."""
        return {"Member": Member}[name]


def load(path: str, name: str = "sheet") -> ModuleType:
    """Return a file as a module."""
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


def describe_error(error: BaseException, path: str) -> dict[str, Any]:
    """Return an exception as plain data: kind, text, line of the file, and whether it is the stub's own."""
    line, text = None, str(error)
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == path:
            line = frame.lineno
    if isinstance(error, SyntaxError) and error.filename == path:
        line, text = error.lineno, str(error.msg)  # str() names the file and the line again
    return {
        "kind": type(error).__name__,
        "text": text[:LONGEST_TEXT],
        "line": line,
        "not_attempted": isinstance(error, NotImplementedError),
    }


def load_or_describe(path: str) -> ModuleType | dict[str, Any]:
    """Return the file as a module, or why it cannot be loaded."""
    try:
        return load(path)
    except BaseException as error:
        return {**describe_error(error, path), "importing": True}


def handle(module: ModuleType, request: dict[str, Any]) -> Any:
    """Carry out one request and return the packed result."""
    arguments = request["arguments"]
    name = request.get("make") or request["call"]
    if not hasattr(module, name):
        raise AttributeError(f"there is no {name} in this file")
    result = getattr(module, name)(*arguments)
    if "make" in request:
        return list(_outcomes(result, request["calls"], str(module.__file__)))
    members = [item for argument in arguments if isinstance(argument, list) for item in argument]
    if any(isinstance(item, Member) for item in members):
        return pack([result, [item.state() for item in members]])
    return pack(result)


def _outcomes(made: Any, calls: list[tuple[str, Any]], path: str) -> Iterator[dict[str, Any]]:
    for method, arguments in calls:
        try:
            yield {"result": pack(getattr(made, method)(*arguments))}
        except NotImplementedError:
            raise
        except Exception as error:
            yield {"error": describe_error(error, path)}
            return


def _answer(module: ModuleType | dict[str, Any], request: dict[str, Any], path: str) -> dict[str, Any]:
    try:
        return {"error": module} if isinstance(module, dict) else {"result": handle(module, request)}
    except BaseException as error:  # SystemExit and KeyboardInterrupt too: exiting is not an answer
        return {"error": describe_error(error, path)}


def _answers(
    module: ModuleType | dict[str, Any], requests: list[bytes], path: str
) -> Iterator[dict[str, Any]]:
    for request in requests:
        answer = _answer(module, _Unpickler(io.BytesIO(request)).load(), path)
        yield answer
        if "error" in answer:
            return


def limit_memory(size: int) -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        pass  # not Unix, or stricter limits already apply


def main(path: str, memory_bytes: str = "") -> None:
    messages = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n", buffering=1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    if memory_bytes:
        limit_memory(int(memory_bytes))
    gc.set_threshold(GARBAGE)
    module = load_or_describe(path)
    answers.write('{"ready": true}\n')
    while messages.peek(1):
        message = pickle.load(messages)
        if "load" in message:
            path = os.path.join(os.path.dirname(path), message["load"])
            module = load_or_describe(path)
            answers.write('{"ready": true}\n')
        else:
            found = list(_answers(module, message["requests"], path))
            answers.write(json.dumps({"id": message["id"], "answers": found}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
