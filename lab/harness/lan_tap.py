"""Recording on a LAN: at any host's card, at several at once, and at the switch's ports.

    with Recording(lan, ["PC1", "server", "switch"], "three_views.pcapng"):
        ...

All places go into one pcapng, each as an interface of its own with name and description, or into a file each. A host
agent does the work: it opens every interface with libpcap, going from network namespace to network namespace (a socket
stays in the one where it was opened), and then takes frames from whichever has some. They are written in order of time:
each waits ``HOLD_S`` for an earlier one that another interface has yet to deliver.

All frames are recorded: nothing foreign is on a LAN of the kit, and its ARP is a lesson too. The end first waits until
the LAN has settled, so that the last ACK is there.
"""

import os
import select
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.dissect.files.capture_file import CaptureWriter
from lab.harness.tap import RecordingError, microseconds_as_ns, open_interface
from lab.net import namespace
from lab.net.host_agent import HostAgent
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
    one port ("switch/PC1"). ``out`` is one file for all places, or a list with one for each. Afterwards ``frames``
    counts them by interface. Raises LanError for an unknown place, and RecordingError.
    """

    def __init__(
        self, lan: Lan, places: Sequence[str], out: Path | str | list[Path], *, comment: str | None = None
    ):
        self.lan, self._comment = lan, comment
        self._plan: dict[Path, list[dict[str, Any]]] = {}  # the interfaces of each file
        for number, place in enumerate(places):
            path = out[number] if isinstance(out, list) else Path(out)
            self._plan.setdefault(path, []).extend(_interfaces(lan, place))
        self.frames: dict[str, int] = {}

    def __enter__(self) -> "Recording":
        """Begin; return when every interface is being recorded."""
        for path in self._plan:
            path.parent.mkdir(parents=True, exist_ok=True)
        networks = {one["network"] for interfaces in self._plan.values() for one in interfaces} - {None}
        popen, target = self.lan.switches.popen, "lab.harness.lan_tap:Recorder"
        self._agent = HostAgent(popen, target, "the recording", [RecordingError], pass_fds=networks)
        files = {str(path.resolve()): interfaces for path, interfaces in self._plan.items()}
        snap_length = LONG_SNAP_LENGTH if self.lan.offloads else SNAP_LENGTH
        about = {"files": files, "comment": self._comment, "snap_length": snap_length}
        try:
            self._agent.call("start", START_LIMIT_S, **about)
        except BaseException:
            self._agent.close()
            raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """End after everything that is under way, or after a failure at once; the file is readable all the same.

        Raises RecordingError if frames are missing, but does not hide what happened first.
        """
        trouble = ""
        try:
            if kind is None and not self.lan.bridge:
                self.lan.settle()
        except LanError as error:
            trouble = f"the recording has no end: {error}"
        try:
            self.frames, dropped = self._agent.call("stop", STOP_LIMIT_S)
            if lost := {name: count for name, count in dropped.items() if count}:
                trouble = f"the kernel dropped frames of the recording, {lost}: record again"
        except OSError as error:
            trouble = f"the recording broke off: {error}"
        finally:
            self._agent.close()
        if trouble and kind is None:
            raise RecordingError(trouble)


def _interfaces(lan: Lan, place: str) -> list[dict[str, Any]]:
    """Return the interfaces of one place, as the recording process opens them."""
    name, _, part = place.partition("/")
    if name == "switch":
        name, network, missing = "switch", None, f"no port {part!r} on the switch"
        found = {port: f"the switch's port of {port}" for host in lan.hosts.values() for port in host.ports}
    else:
        host = lan[name]
        name, network, missing = host.name, host.network, f"{host.name} has no card {part!r}"
        cards = zip(host.interfaces, host.plan.nics, strict=True)
        found = {card: ", ".join((host.name, *nic.addresses, str(nic.mac))) for card, nic in cards}
    if part and part not in found:
        raise LanError(f"{missing}: there are {', '.join(found)}")
    return [
        {"network": network, "device": device, "name": f"{name}/{device}", "description": found[device]}
        for device in ([part] if part else found)
    ]


# On the LAN


class _Source:
    """One interface being recorded, and the file and number that its frames go to."""

    def __init__(self, interface: dict[str, Any], writer: CaptureWriter, snap_length: int):
        if interface["network"] is not None:
            namespace.join(interface["network"], namespace.CLONE_NEWNET)
        self.name, self.writer = interface["name"], writer
        self.handle = open_interface(interface["device"], snap_length, BUFFER_BYTES)
        self.handle.setnonblock(True)
        link_type = int(self.handle.datalink())
        self.number = writer.add_interface(self.name, link_type, interface["description"], snap_length)
        self.frames = 0

    def fileno(self) -> int:
        return int(self.handle.get_selectable_fd())

    def take(self) -> "list[_Arrived]":
        arrived: list[_Arrived] = []

        def keep(header: Any, frame: bytes) -> None:
            arrived.append((microseconds_as_ns(header.ts), self, bytes(frame), header.len))

        self.handle.dispatch(-1, keep)
        return arrived


_Arrived = tuple[int, _Source, bytes, int]  # time in ns, where, the frame, its length on the wire


class Recorder:
    """Carries out the calls of a Recording."""

    def start(self, files: dict[str, list[dict[str, Any]]], comment: str | None, snap_length: int) -> None:
        self._sources: list[_Source] = []
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            for path, interfaces in files.items():
                writer = CaptureWriter(path, comment=comment, application="packet-capture lab kit")
                for interface in interfaces:
                    self._sources.append(_Source(interface, writer, snap_length))
                    namespace.join(home, namespace.CLONE_NEWNET)
        except OSError as error:
            raise RecordingError(str(error)) from error
        self._end, self._ended = socket.socketpair()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._record, daemon=True)
        self._thread.start()

    def stop(self) -> tuple[dict[str, int], dict[str, int]]:
        """End the recording; return the frames that were written and those that the kernel dropped, by interface."""
        self._end.close()
        self._thread.join()
        if self._failure:
            raise self._failure
        frames = {source.name: source.frames for source in self._sources}
        return frames, {source.name: source.handle.stats().drop for source in self._sources}

    def _record(self) -> None:
        """Take and write until the end, and then what is left."""
        held: list[_Arrived] = []
        ending = False
        waiting_for: list[Any] = [self._ended, *self._sources]
        try:
            while not ending:
                ending = self._ended in select.select(waiting_for, [], [], HOLD_S)[0]
                for source in self._sources:
                    held += source.take()
                held.sort(key=lambda one: one[0])
                until_ns = time.time_ns() - int(HOLD_S * 1e9)
                ripe = sum(1 for one in held if ending or one[0] <= until_ns)
                for time_ns, source, frame, length in held[:ripe]:
                    source.writer.write(frame, time_ns, source.number, length)
                    source.frames += 1
                del held[:ripe]
            for source in self._sources:
                source.writer.flush()
        except OSError as error:  # a full disk, say
            self._failure = error
