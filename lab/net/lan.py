"""A LAN of real hosts, made by an ordinary user: each host is a network namespace on the kit's switch.

    with Lan([host("server", "10.0.0.1/24"), host("PC1", "10.0.0.2/24")]) as lan:
        print(lan["PC1"].run(["ping", "-c1", "10.0.0.1"]).stdout)
        lan.order("drop the third data segment from PC1")

``plan`` says who is there (``host``, ``router``) and checks it before anything is made. Another process, the ``keeper``,
builds the LAN, because a process must have a single thread to enter a user namespace. This module only holds descriptors
of the namespaces and starts programs in them. Closing them, or dying, ends the LAN and all that runs in it. The machine's
own network is never touched. Linux only, needs pyroute2.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from lab.net import namespace
from lab.net.cable import Condition
from lab.net.host_agent import Caller, HostAgent, HostAgentError
from lab.net.orders import ConditionError, Order
from lab.net.plan import HostPlan, LanError, LanRefused, check_plan, plain, port_name

BUILD_LIMIT_S = 30  # a LAN takes a fraction of a second; far beyond that something is wrong
STOP_LIMIT_S = 10
ACCEPT_LIMIT_S = 20  # until a client must have connected
ANSWER_LIMIT_S = 60  # a switch answers at once, but for frames under way, which an order may hold


class Place:
    """A network namespace of the LAN in which programs can be started: a host's, or the one of its switches."""

    def __init__(self, lan: "Lan", name: str, network: int):
        self.name = name
        self._lan = lan
        self.network = network

    def popen(self, command: list[str], **options: Any) -> namespace.Program:
        """Start a program here; ``options`` as for ``subprocess.Popen``. It ends with the LAN at the latest.

        Signals sent to the process object reach the program, and its exit code comes back as its own.
        """
        descriptors = (*self._lan.descriptors(), self.network)
        process = namespace.popen_joined(list(command), descriptors, **options)
        self._lan.started.append(process)
        return process

    def run(
        self, command: list[str], *, input: str | None = None, timeout: float = 60, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program here to its end; return a ``subprocess.CompletedProcess`` with its output as text.

        Raises LanError where this machine has no such program, subprocess.CalledProcessError where it fails
        (unless ``check`` is False), TimeoutExpired after ``timeout`` seconds.
        """
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with self.popen(command, **pipes, text=True) as process:
            try:
                output, errors = process.communicate(input, timeout)
            except BaseException:
                process.kill()
                namespace.end(process, STOP_LIMIT_S)
                raise
        done = subprocess.CompletedProcess(command, process.returncode, output, errors)
        if check and done.returncode == namespace.EXIT_NOT_FOUND and not shutil.which(command[0]):
            raise LanError(f"no program {command[0]!r} on this machine")
        if check:
            done.check_returncode()
        return done


class Host(Place):
    """A host: ``addresses`` (without prefix length), ``interfaces`` with the MAC of each, ``ports`` on switches."""

    def __init__(self, lan: "Lan", plan: HostPlan, network: int):
        super().__init__(lan, plan.name, network)
        self.plan = plan
        self.addresses = [address.split("/")[0] for nic in plan.nics for address in nic.addresses]
        self.address = self.addresses[0]
        self.interfaces = {f"eth{number}": nic.mac for number, nic in enumerate(plan.nics)}
        self.ports = [port_name(plan, number) for number in range(len(plan.nics))]

    def open_socket(self, *kind: int) -> socket.socket:
        """Return a new socket of this host; ``kind`` as for ``socket.socket`` (default: TCP).

        It stays in the namespace where it was made, whichever process uses it. One thread at a time may ask for one.
        """
        keeper = self._lan.keeper()
        keeper.call("open_socket", host=self._lan.plans.index(self.plan), kind=kind)
        return socket.socket(fileno=keeper.descriptors[0])

    def listen(self, port: int) -> socket.socket:
        """Return a new TCP socket of this host that listens on ``port`` of every address, with a bound on ``accept``."""
        listener = self.open_socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", port))
        listener.listen()
        listener.settimeout(ACCEPT_LIMIT_S)
        return listener


class Lan:
    """A whole LAN, built on entering the ``with`` block (or by ``start``) and gone after it (or after ``close``).

    ``lan["PC1"]`` is a host (case and spaces do not matter). ``bridge=True`` puts the kernel's own switch in the place
    of the kit's, which takes no conditions; with it, ``offloads=True`` leaves the kernel's offloads on. Raises LanError
    for a plan that cannot work, LanRefused where the system forbids namespaces.
    """

    switches: Place  # where both ends of every cable can be seen

    def __init__(self, hosts: Iterable[HostPlan], *, bridge: bool = False, offloads: bool = False):
        if offloads and not bridge:  # the switch has cables, and no cable carries a frame beyond the MTU
            raise LanError("offloads make frames longer than a cable carries: they need the kernel's bridge")
        self.plans = check_plan(hosts)
        self.bridge = bridge
        self.offloads = offloads
        self.hosts: dict[str, Host] = {}
        self.started: list[namespace.Program] = []
        self._controls: list[Caller] = []
        self._keeper: HostAgent | None = None
        self._held: list[int] = []

    def __enter__(self) -> "Lan":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> "Lan":
        """Build it; return when frames can pass."""
        if not sys.platform.startswith("linux"):
            raise LanRefused(namespace.LINUX_ONLY)
        self._keeper = HostAgent(subprocess.Popen, "lab.net.keeper:Keeper", "the LAN's keeper", [LanRefused])
        try:
            self._build(self._keeper)
        except HostAgentError as error:
            self.close()
            raise LanError(str(error)) from error
        except BaseException:
            self.close()
            raise
        return self

    def _build(self, keeper: HostAgent) -> None:
        plans = [asdict(plan) for plan in self.plans]
        keeper.call("build", BUILD_LIMIT_S, plans=plans, bridge=self.bridge, offloads=self.offloads)
        namespaces = 3 + len(plans)
        self._held, controls = keeper.descriptors[:namespaces], keeper.descriptors[namespaces:]
        switches = dict.fromkeys(nic.switch for plan in self.plans for nic in plan.nics)
        for name, control in zip(switches, controls, strict=False):
            caller = Caller(socket.socket(fileno=control), f"the switch {name!r}", [ConditionError])
            self._controls.append(caller)
            caller.call("state", within_s=BUILD_LIMIT_S)  # it answers when it is ready
        self.switches = Place(self, "switches", self._held[2])
        for one, network in zip(self.plans, self._held[3:], strict=True):
            self.hosts[plain(one.name)] = Host(self, one, network)

    def close(self) -> None:
        """End every program on it and take it down; return when nothing is left. May be called twice."""
        if self._keeper is None:
            return
        keeper, self._keeper = self._keeper, None
        for control in self._controls:
            control.close()
        for descriptor in self._held:
            os.close(descriptor)
        keeper.close(STOP_LIMIT_S)  # all that it kept ends with it
        for process in self.started:
            namespace.end(process, STOP_LIMIT_S)
        self._controls, self._held, self.started, self.hosts = [], [], [], {}

    def __getitem__(self, name: str) -> Host:
        self.keeper()
        if found := self.hosts.get(plain(name)):
            return found
        raise LanError(f"no host {name!r}: there are {', '.join(one.name for one in self.hosts.values())}")

    def keeper(self) -> HostAgent:
        """Return the process that keeps the LAN. Raises LanError where there is none."""
        if self._keeper is None:
            raise LanError("the LAN is not running")
        return self._keeper

    def descriptors(self) -> tuple[int, int]:
        """Return descriptors of the LAN's user namespace and of its pid namespace."""
        self.keeper()
        return self._held[0], self._held[1]

    # Conditions

    def condition(self, host: str | None = None, direction: str = "both", **rates: Any) -> None:
        """Put a condition on the cable of a host (None: of every host), in one direction ("from", "to") or both.

        ``rates`` are the fields of ``cable.Condition``; without any the cable is perfect again. It is in force when
        this returns. Raises LanError for an unknown host, ConditionError for a rate out of range.
        """
        if direction not in ("from", "to", "both"):
            raise ConditionError(f"direction must be 'from', 'to' or 'both', not {direction!r}")
        if unknown := set(rates) - set(Condition.__dataclass_fields__):
            raise ConditionError(f"unknown condition {', '.join(sorted(unknown))}")
        values = asdict(Condition(**rates))
        for way in ("from", "to") if direction == "both" else (direction,):
            self._ask_ports(host, "condition", direction=way, condition=values)

    def order(self, order: Order | str) -> Order:
        """Give an exact order (see ``orders.Order``), in words or as an object; it is in force when this returns.

        Without a host it is for every host, and frames from all of them are counted together.
        Raises LanError for an unknown host, ConditionError for an order that cannot be carried out.
        """
        order = Order.parse(order) if isinstance(order, str) else order
        self._ask_ports(order.host, "order", order=asdict(order))
        return order

    def mirror(self, host: str) -> None:
        """Have the switch send a copy of every frame to this host too."""
        self._ask_ports(host, "mirror")

    def guard(self, on: bool = True) -> None:
        """Have the switch drop what a host sends in the name of another (``port_guard``), or no longer."""
        stations = {
            port: [nic.mac, [address.split("/")[0] for address in nic.addresses]]
            for host in self.hosts.values()
            for port, nic in zip(host.ports, host.plan.nics, strict=True)
        }
        self._ask("guard", stations=stations if on else {})

    def state(self) -> dict[str, Any]:
        """Return what all switches have seen and done: ``ports``, ``table``, ``counts`` and ``actions``."""
        total: dict[str, Any] = {"ports": {}, "table": {}, "counts": {}, "actions": []}
        for one in self._ask("state"):
            for key, value in one.items():
                total[key] = total[key] + value if key == "actions" else total[key] | value
        return total

    def settle(self) -> None:
        """Wait until no frame is under way, on any cable or held by any order, and no kernel has one to answer.

        What programs still mean to send is unknown to it. Raises LanError where frames keep coming for too long.
        """
        quiet_rounds, deadline = 0, time.monotonic() + ANSWER_LIMIT_S
        while quiet_rounds < 2:  # a frame may pass from one switch to the next while it is asked: all, twice
            if time.monotonic() > deadline:
                raise LanError(f"frames have kept coming on the LAN for {ANSWER_LIMIT_S} s")
            before = self.state()["ports"]
            self._ask("settle")
            quiet_rounds = quiet_rounds + 1 if self.state()["ports"] == before else 0

    def _ask_ports(self, host: str | None, method: str, **arguments: Any) -> None:
        for port in [None] if host is None else self[host].ports:
            self._ask(method, port=port, **arguments)

    def _ask(self, method: str, **arguments: Any) -> list[Any]:
        self.keeper()
        if self.bridge:
            raise LanError("the kernel's bridge takes no conditions or orders: use the kit's switch")
        try:
            return [control.call(method, ANSWER_LIMIT_S, **arguments) for control in self._controls]
        except HostAgentError as error:
            raise LanError(str(error)) from error
