"""The process in which a student's code runs: calls in, plain results out. Standard library only, no kit needed.

    python -I -S runner.py SHEET.py [MEMORY_BYTES]

It reads one request a line (JSON) from standard input and writes one answer a line to what was standard output. Before
the student's file is loaded, both are moved out of its way: what it prints goes where standard error goes, and what it
reads is empty. Nothing in here decides whether a result is right: that is known only to the process that asks.

    {"id": 1, "call": "parse_tcp", "arguments": [...]}                        -> {"id": 1, "result": ...}
    {"id": 2, "make": "LineDecoder", "arguments": [], "calls": [["feed", [...]], ...]}
                                                                  -> {"id": 2, "result": [{"result": ...}, ...]}
    either may be answered by {"id": 1, "error": {"kind", "text", "line", "not_attempted"}}

JSON has no bytes, tuples or sets, so these are marked: see ``pack`` and ``unpack``, which are each other's inverse.
"""

import importlib.util
import json
import os
import sys
import traceback

LONGEST_TEXT = 300  # characters kept of an error's text
MOST_KEYS = 2_000  # of a set or dict
AS_IT_IS = frozenset((str, int, bool, type(None)))


class Member:
    """Somebody in the chat room, for the exercise on broadcasting; it stands for a socket that never waits.

    ``takes`` lists how many bytes each ``send`` in turn can take (the last number goes on for ever). Where that is 0,
    ``send`` raises BlockingIOError as a full non-blocking socket does; a member that has ``gone`` raises
    ConnectionResetError.
    ``pending`` is what is still to be sent to it.
    """

    def __init__(self, name, takes=(1 << 30,), gone=False, pending=b""):
        self.name = name
        self.pending = bytearray(pending)
        self._takes, self._gone, self._sent, self._sends = list(takes), gone, bytearray(), 0

    def __repr__(self):
        return f"<Member {self.name}>"

    def send(self, data):
        """Send what fits now and give the number of bytes that did, as ``socket.send`` does."""
        self._sends += 1
        if self._gone:
            raise ConnectionResetError(104, "Connection reset by peer")
        room = self._takes.pop(0) if len(self._takes) > 1 else self._takes[0]
        if room <= 0:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        sent = bytes(data)[:room]
        self._sent += sent
        return len(sent)

    def sendall(self, data):
        """Send everything, waiting for the other side as long as it takes, as ``socket.sendall`` does."""
        data = bytes(data)
        while data:
            try:
                data = data[self.send(data) :]
            except BlockingIOError:
                if (
                    self._takes[0] <= 0 and len(self._takes) == 1
                ):  # nobody will ever read: this is the frozen room
                    import threading

                    threading.Event().wait()

    def plan(self):
        return {"name": self.name, "takes": self._takes, "gone": self._gone, "pending": bytes(self.pending)}

    def state(self):
        return {
            "name": self.name,
            "sent": bytes(self._sent),
            "pending": bytes(self.pending),
            "sends": self._sends,
        }


def pack(value):
    """A value as JSON can carry it. Raises TypeError for what is not plain data."""
    if type(value) in AS_IT_IS:  # most values by far; what follows also takes their subclasses
        return value
    if value is None or isinstance(value, (bool, str)):
        return value if value is None or isinstance(value, bool) else str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return {"f": repr(float(value))}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"b": bytes(value).hex()}
    if isinstance(value, Member):
        return {"m": pack(value.plan())}
    if isinstance(value, list):
        return [pack(item) for item in value]
    if isinstance(value, tuple):
        return {"t": [pack(item) for item in value]}
    if isinstance(value, (set, frozenset)):
        return {"s": [pack(item) for item in value]}
    if isinstance(value, dict):
        return {"d": [[pack(key), pack(item)] for key, item in value.items()]}
    raise TypeError(f"a {type(value).__name__} came back, which is no plain Python value")


def unpack(value, members=False):
    """The way back. Raises ValueError for anything that ``pack`` does not write.

    Results are made up by the student's process. So only arguments may hold ``members``, which can be as large as
    they claim; and sets and dicts are short, since they take quadratic time where all hashes are the same.
    """
    if isinstance(value, list):
        return [unpack(item, members) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise ValueError("not a packed value")
    ((kind, content),) = value.items()
    if kind == "f":
        return float(content)
    if kind == "b":
        return bytes.fromhex(content)
    if kind == "m" and members:
        return Member(**unpack(content))
    if kind == "t":
        return tuple(unpack(item, members) for item in content)
    if kind == "s" and len(content) <= MOST_KEYS:
        return {unpack(item, members) for item in content}
    if kind == "d" and len(content) <= MOST_KEYS:
        return {unpack(key, members): unpack(item, members) for key, item in content}
    raise ValueError("not a packed value")


def load(path):
    """The student's file as a module."""
    specification = importlib.util.spec_from_file_location("sheet", path)
    module = importlib.util.module_from_spec(specification)
    sys.modules["sheet"] = module
    specification.loader.exec_module(module)
    return module


def describe(error, path):
    """An exception as plain data: its kind and text, the line of the student's file, whether it is the stub's own."""
    line = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == path:
            line = frame.lineno
    if isinstance(error, SyntaxError) and error.filename == path:
        line = error.lineno
    return {
        "kind": type(error).__name__,
        "text": str(error)[:LONGEST_TEXT],
        "line": line,
        "not_attempted": isinstance(error, NotImplementedError),
    }


def _named(module, name):
    try:
        return getattr(module, name)
    except AttributeError:
        raise AttributeError(f"there is no {name} in this file") from None


def obey(module, request):
    """What one request gives, packed."""
    arguments = unpack(request["arguments"], members=True)
    if "make" in request:
        made = _named(module, request["make"])(*arguments)
        outcomes = []
        for method, method_arguments in request["calls"]:
            try:
                outcomes.append(
                    {"result": pack(getattr(made, method)(*unpack(method_arguments, members=True)))}
                )
            except NotImplementedError:
                raise
            except Exception as error:
                outcomes.append({"error": describe(error, module.__file__)})
                break
        return outcomes
    result = _named(module, request["call"])(*arguments)
    members = [item for argument in arguments if isinstance(argument, list) for item in argument]
    if any(isinstance(item, Member) for item in members):
        return pack([result, [item.state() for item in members]])
    return pack(result)


def limit_memory(size):
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        pass  # not a Unix, or stricter limits hold already


def main(arguments):
    path = arguments[0]
    requests, answers = (
        os.fdopen(os.dup(0), "r", encoding="utf-8"),
        os.fdopen(os.dup(1), "w", encoding="utf-8"),
    )
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    if len(arguments) > 1:
        limit_memory(int(arguments[1]))
    module, refusal = None, None
    try:
        module = load(path)
    except BaseException as error:
        refusal = {**describe(error, path), "importing": True}
    answers.write('{"ready": true}\n')
    answers.flush()
    for line in requests:
        request = json.loads(line)
        answer = {"id": request["id"]}
        try:
            if refusal:
                answer["error"] = refusal
            else:
                answer["result"] = obey(module, request)
        except BaseException as error:  # SystemExit and KeyboardInterrupt too: leaving is not an answer
            answer["error"] = describe(error, path)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
