"""Recording on a LAN: at any host's card, at several at once, and at the switch's ports.

    with Recording(lan, ["PC1", "server", "switch"], "three_views.pcapng"):
        ...

All places go into one pcapng, each as an interface of its own with name and description, or (``each=True``) into a file
each. One process does the work: it opens every interface with libpcap, going from network namespace to network
namespace (a socket stays in the one where it was opened), and then takes frames from whichever has some. They are
written in order of time: each waits HOLD_S for an earlier one that another interface has yet to deliver.

Frames are all recorded, whatever they are: a LAN of the kit carries nothing foreign, and its ARP is a lesson too. Pass
``filter`` (pcap-filter(7)) for less. ``stop`` first waits until the LAN has settled, so that the last ACK is there.
As a program (``python -m lab.harness.lan_tap``) this file is that process; it ends when its standard input does.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from lab.dissect.files.capture_file import CaptureWriter
from lab.harness.tap import RecordingError, open_interface, set_filter
from lab.net import namespace
from lab.net.lan import Lan
from lab.net.plan import LanError

SNAP_LENGTH = 2048  # bytes; more than any frame at an MTU of 1500
LONG_SNAP_LENGTH = 65_600  # with the hosts' offloads left on
BUFFER_BYTES = 8 << 20  # for each interface, in the kernel
HOLD_S = 0.05
START_LIMIT_S, STOP_LIMIT_S = 30, 30


class Recording:
    """Records ``places`` of a LAN into ``out`` while it is entered as a context.

    A place is a host ("PC1": all its cards), one card of it ("router/eth1"), "switch" for all ports of all switches, or
    one port ("switch/PC1"). ``out`` is a file, or with ``each`` a folder that gets a file each. Afterwards
    ``files`` are the paths and ``frames`` counts them by interface. Raises LanError for an unknown place, and
    RecordingError.
    """

    def __init__(
        self,
        lan: Lan,
        places: list[str],
        out: Path | str,
        *,
        each: bool = False,
        filter: str = "",
        comment: str = "",
    ):
        self.lan = lan
        interfaces = [_interfaces(lan, place) for place in places]
        if each:
            names = [f"{place.replace('/', '-')}.pcapng" for place in places]
            groups = [(Path(out) / name, at) for name, at in zip(names, interfaces, strict=True)]
        else:
            groups = [(Path(out), [one for at in interfaces for one in at])]
        self.files = [path for path, _ in groups]
        self.frames: dict[str, int] = {}
        self._plan = {
            "files": [{"path": str(path.resolve()), "interfaces": at} for path, at in groups],
            "filter": filter,
            "comment": comment,
            "snap_length": LONG_SNAP_LENGTH if lan.offloads else SNAP_LENGTH,
        }

    def start(self) -> "Recording":
        """Begin; returns when every interface is being recorded."""
        for path in self.files:
            path.parent.mkdir(parents=True, exist_ok=True)
        inherited = {one["network"] for file in self._plan["files"] for one in file["interfaces"]} - {None}
        self._process = self.lan.switches.popen(
            [sys.executable, "-m", "lab.harness.lan_tap", json.dumps(self._plan)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=Path(__file__).resolve().parents[2], pass_fds=tuple(inherited), start_new_session=True,
        )  # fmt: skip
        if (
            not select.select([self._process.stdout], [], [], START_LIMIT_S)[0]
            or not self._process.stdout.readline()
        ):
            self._process.kill()
            raise RecordingError(f"the recording did not start: {self._last_words()}")
        return self

    def stop(self, settle: bool = True) -> None:
        """End after everything that is under way (or with ``settle`` False at once).

        Raises RecordingError if frames are missing; the file is closed and readable all the same.
        """
        unsettled = None
        if settle and not self.lan.bridge:
            try:
                self.lan.settle()
            except LanError as error:
                unsettled = error
        try:
            output, errors = self._process.communicate(timeout=STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise RecordingError("the recording did not end") from None
        if self._process.returncode or not output:
            raise RecordingError(f"the recording broke off: {errors.strip().splitlines()[-1:] or 'killed'}")
        told = json.loads(output)
        self.frames = told["frames"]
        if lost := {name: count for name, count in told["dropped"].items() if count}:
            raise RecordingError(f"the kernel dropped frames of the recording, {lost}: record again")
        if unsettled:
            raise RecordingError(f"the recording has no end: {unsettled}") from unsettled

    def _last_words(self) -> str:
        lines = self._process.communicate()[1].strip().splitlines()
        return lines[-1] if lines else "it ended without a word"

    def __enter__(self) -> "Recording":
        return self.start()

    def __exit__(self, kind, *_) -> None:
        try:
            self.stop(settle=kind is None)
        except RecordingError:
            if kind is None:  # do not hide what happened first
                raise


def _interfaces(lan: Lan, place: str) -> list[dict]:
    """The interfaces of one place, as the recording process opens them."""
    name, _, part = place.partition("/")
    if name == "switch":
        ports = {port: host for host in lan.hosts.values() for port in host.ports}
        chosen = [port for port in ports if not part or port == part]
        if not chosen:
            raise LanError(f"no port {part!r} on the switch: there are {', '.join(ports)}")
        return [
            {
                "network": None,
                "device": port,
                "name": f"switch/{port}",
                "description": f"the switch's port of {port}",
            }
            for port in chosen
        ]
    host = lan[name]
    cards = [card for card in host.interfaces if not part or card == part]
    if not cards:
        raise LanError(f"{host.name} has no card {part!r}: there are {', '.join(host.interfaces)}")
    about = {
        card: ", ".join((host.name, *nic.addresses, nic.mac))
        for card, nic in zip(host.interfaces, host.plan.nics, strict=True)
    }
    return [
        {"network": host.network, "device": card, "name": f"{host.name}/{card}", "description": about[card]}
        for card in cards
    ]


# The process that records


class _Source:
    """One interface being recorded, and the file and number that its frames go to."""

    def __init__(self, interface: dict, writer: CaptureWriter, snap_length: int, filter: str):
        if interface["network"] is not None:
            namespace.join(interface["network"], namespace.CLONE_NEWNET)
        self.name, self.writer = interface["name"], writer
        self.handle = open_interface(interface["device"], snap_length, BUFFER_BYTES)
        if filter:
            set_filter(self.handle, filter)
        self.handle.setnonblock(True)
        self.number = writer.add_interface(
            interface["name"],
            int(self.handle.datalink()),
            interface["description"],
            snap_length,
            filter or None,
        )
        self.frames = 0
        self.arrived: list[tuple[int, bytes, int]] = []

    def fileno(self) -> int:
        return self.handle.get_selectable_fd()

    def take(self) -> list:
        """What has come since the last time: (time in ns, source, frame, length on the wire)."""
        self.handle.dispatch(-1, self._keep)
        taken = [(time_ns, self, frame, length) for time_ns, frame, length in self.arrived]
        self.arrived.clear()
        return taken

    def _keep(self, header, frame: bytes) -> None:
        # cypcap gives seconds as a float, exact to a quarter of a microsecond: the microsecond is right.
        self.arrived.append((round(header.ts * 1_000_000) * 1_000, bytes(frame), header.len))


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the room's business, which then closes our input
    plan = json.loads(arguments[0])
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    sources = []
    try:
        for file in plan["files"]:
            writer = CaptureWriter(
                file["path"], comment=plan["comment"] or None, application="packet-capture lab kit"
            )
            for interface in file["interfaces"]:
                sources.append(_Source(interface, writer, plan["snap_length"], plan["filter"]))
                namespace.join(home, namespace.CLONE_NEWNET)
        print("recording", flush=True)
        _record(sources)
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    dropped = {source.name: source.handle.stats().drop for source in sources}
    print(json.dumps({"frames": {source.name: source.frames for source in sources}, "dropped": dropped}))
    return 0


def _record(sources: list[_Source]) -> None:
    """Take and write until standard input ends, and then what is left."""
    held: list = []
    ending = False
    while not ending or held:
        ready = select.select([sys.stdin, *sources], [], [], HOLD_S)[0] if not ending else sources
        ending = ending or sys.stdin in ready
        for source in sources:
            held += source.take()
        held.sort(key=lambda one: one[0])
        until_ns = time.time_ns() - int(HOLD_S * 1e9)
        ripe = sum(1 for one in held if ending or one[0] <= until_ns)
        for time_ns, source, frame, length in held[:ripe]:
            source.writer.write(frame, time_ns, source.number, length)
            source.frames += 1
        del held[:ripe]
    for source in sources:
        source.writer.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
