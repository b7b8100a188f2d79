"""A LAN of real hosts, made and broken by an ordinary user: each host is a network namespace on the kit's
switch.

    with Lan([host("server", "10.0.0.1/24"), host("PC1", "10.0.0.2/24")]) as lan:
        print(lan["PC1"].run(["ping", "-c1", "10.0.0.1"]).stdout)
        lan.order("drop the third data segment from PC1")

``host`` and ``router`` plan who is there; hosts with the same ``switch`` are on one Ethernet, and a router
joins two or more of these. Every plan is checked before anything is made, so that a mistake is one clear line
(``LanError``). The building itself happens in another process, the ``keeper``, because a process must have a
single thread to enter a user namespace; this module only holds descriptors of the namespaces, and starts
programs in them with ``namespace.join_launcher``. Closing them, or dying, ends the LAN and all that runs in
it. The machine's own network is never touched. Linux only, needs pyroute2.
"""

import ipaddress
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict

from lab.net import namespace
from lab.net.cable import Condition
from lab.net.orders import ConditionError, Order
from lab.net.plan import IPV6, NO_IPV6, SYSCTL, HostPlan, LanError, check_plan, plain, port_name

MTU = 1500
BUILD_LIMIT_S = 30  # a LAN takes a fraction of a second; far beyond that something is wrong
STOP_LIMIT_S = 10
ANSWER_LIMIT_S = 60  # a switch answers at once, but for frames under way, which an order may hold


class LanRefused(OSError):
    """This system does not let an ordinary user make namespaces; ``namespace.diagnosis`` knows more."""


class Program(subprocess.Popen):
    """A program started on a host: what we see and signal is its stand-in out here (``namespace.join_launcher``)."""

    def send_signal(self, sig: int) -> None:
        """Signal the program. SIGKILL is passed on by the stand-in too, which must live to bury the program."""
        super().send_signal(namespace.KILL_COMMAND if sig == signal.SIGKILL else sig)


class Place:
    """A network namespace of the LAN in which programs can be started: a host's, or the one of its switches."""

    def __init__(self, lan: "Lan", name: str, network: int):
        self.name = name
        self._lan = lan
        self.network = network

    def popen(self, command: list[str], **options) -> Program:
        """Start a program here; ``options`` as for ``subprocess.Popen``. It ends with the LAN at the latest.

        Signals sent to the process object reach the program, and its exit code comes back as its own.
        """
        user, pid = self._lan.descriptors()
        inherited = (*((user,) if user is not None else ()), pid, self.network)
        options["pass_fds"] = (*options.get("pass_fds", ()), *inherited)
        process = Program(namespace.join_launcher(list(command), user, pid, self.network), **options)
        self._lan._started.append(process)
        return process

    def run(self, command: list[str], *, input: str | None = None, timeout: float = 60, check: bool = True):
        """Run a program here to its end; gives a ``subprocess.CompletedProcess`` with its output as text.

        Raises LanError where this machine has no such program, subprocess.CalledProcessError where it fails
        (unless ``check`` is False), TimeoutExpired after ``timeout`` seconds.
        """
        options = {"stdin": subprocess.PIPE if input is not None else subprocess.DEVNULL, "text": True}
        with self.popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
            try:
                output, errors = process.communicate(input, timeout)
            except BaseException:
                process.kill()
                raise
            finally:
                self._lan._started.remove(process)
        done = subprocess.CompletedProcess(command, process.returncode, output, errors)
        if check and done.returncode == namespace.EXIT_NOT_FOUND and not shutil.which(command[0]):
            raise LanError(f"no program {command[0]!r} on this machine")
        if check:
            done.check_returncode()
        return done

    def __repr__(self):
        return f"<{type(self).__name__} {self.name}>"


class Host(Place):
    """A host: ``addresses`` (without prefix length), ``interfaces`` with the MAC of each, ``ports`` on switches."""

    def __init__(self, lan: "Lan", plan: HostPlan, network: int):
        super().__init__(lan, plan.name, network)
        self.plan = plan
        self.addresses = [address.split("/")[0] for nic in plan.nics for address in nic.addresses]
        self.interfaces = {f"eth{number}": nic.mac for number, nic in enumerate(plan.nics)}
        self.ports = [port_name(plan, number) for number in range(len(plan.nics))]

    @property
    def address(self) -> str:
        """Its first address."""
        return self.addresses[0]


class Lan:
    """A whole LAN, built on entering the ``with`` block (or by ``start``) and gone after it (or after ``close``).

    ``lan["PC1"]`` is a host (case and spaces do not matter). ``bridge=True`` puts the kernel's own switch
    where the kit's would be, which takes no conditions; with it, ``offloads=True`` leaves the kernel's
    offloads on. Raises LanError for a plan that cannot be, LanRefused where the system forbids namespaces.
    """

    def __init__(self, hosts: Iterable[HostPlan], *, bridge: bool = False, offloads: bool = False):
        if offloads and not bridge:  # the switch has cables, and no cable carries a frame beyond the MTU
            raise LanError("offloads make frames longer than a cable carries: they need the kernel's bridge")
        self.plans = check_plan(hosts)
        self.bridge = bridge
        self.offloads = offloads
        self.hosts: dict[str, Host] = {}
        self.switch_names = list(dict.fromkeys(nic.switch for plan in self.plans for nic in plan.nics))
        self.switches: Place | None = None  # where both ends of every cable can be seen
        self._controls: list[socket.socket] = []
        self._keeper: subprocess.Popen | None = None
        self._held: list[int] = []
        self._started: list[Program] = []

    def __enter__(self) -> "Lan":
        return self.start()

    def __exit__(self, *_):
        self.close()

    def start(self) -> "Lan":
        """Build it; returns when frames can pass."""
        if not sys.platform.startswith("linux"):
            raise LanRefused("network namespaces exist on Linux only")
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        self._socket, its = socket.socketpair()
        with its:
            command = [sys.executable, "-m", "lab.net.keeper", str(its.fileno())]
            self._keeper = subprocess.Popen(
                command,
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=root,
                start_new_session=True,  # Ctrl-C is this process's business, which ends it
            )
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """End every program on it and take it down; returns when nothing is left. May be called twice."""
        if self._keeper is None:
            return
        self._socket.close()
        for control in self._controls:
            control.close()
        for descriptor in self._held:
            os.close(descriptor)
        keeper, self._keeper = self._keeper, None
        try:
            keeper.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            keeper.kill()  # what it kept dies with it
            keeper.wait()
        for process in self._started:
            process.wait(STOP_LIMIT_S)
        self._controls, self._held, self._started, self.hosts = [], [], [], {}
        self.switches = None

    def __getitem__(self, name: str) -> Host:
        found = self.hosts.get(plain(name))
        if found is None:
            if self._keeper is None:
                raise LanError("the LAN is not running")
            raise LanError(
                f"no host {name!r}: there are {', '.join(one.name for one in self.hosts.values())}"
            )
        return found

    # Conditions

    def condition(self, host: str | None = None, direction: str = "both", **rates) -> None:
        """Put a condition on the cable of a host (None: of every host), in one direction ("from", "to") or both.

        ``rates`` are the fields of ``cable.Condition``; none at all is the perfect cable again. It is in
        force when this returns. Raises LanError for an unknown host, ConditionError for a rate out of range.
        """
        if direction not in ("from", "to", "both"):
            raise ConditionError(f"direction must be 'from', 'to' or 'both', not {direction!r}")
        unknown = set(rates) - set(Condition.__dataclass_fields__)
        if unknown:
            raise ConditionError(f"unknown condition {', '.join(sorted(unknown))}")
        values = asdict(Condition(**rates))
        for way in ("from", "to") if direction == "both" else (direction,):
            self._ask_ports(host, {"do": "condition", "direction": way, "condition": values})

    def order(self, order: Order | str) -> Order:
        """Give an exact order (see ``cable.Order``), in words or ready made; it stands when this returns.

        Without a host it is for every host, and frames from all of them are counted together.
        Raises LanError for an unknown host, ConditionError for an order that cannot be carried out.
        """
        order = Order.parse(order) if isinstance(order, str) else order
        self._ask_ports(order.host, {"do": "order", "order": asdict(order)})
        return order

    def state(self) -> dict:
        """What the switches have seen and done: ``ports``, ``table``, ``counts`` and ``actions``, over all of them."""
        total: dict = {"ports": {}, "table": {}, "counts": {}, "actions": []}
        for answer in self._ask({"do": "state"}):
            for key, value in answer.items():
                total[key] = total[key] + value if key == "actions" else total[key] | value
        return total

    def settle(self) -> None:
        """Wait until no frame is under way, on any cable or held by any order, and no kernel has one to answer.

        What programs still mean to send it cannot know. Raises LanError where frames keep coming for too long.
        """
        quiet_for = 0
        while (
            quiet_for < 2
        ):  # a frame may pass from one switch to the next while it is asked: all, twice over
            before = self.state()["ports"]
            self._ask({"do": "settle"})
            quiet_for = quiet_for + 1 if self.state()["ports"] == before else 0

    def _ask_ports(self, host: str | None, request: dict) -> None:
        if host is None:
            self._ask(request)
            return
        for port in self[host].ports:
            self._ask(request | {"port": port})

    def _ask(self, request: dict) -> list[dict]:
        if self._keeper is None:
            raise LanError("the LAN is not running")
        if self.bridge:
            raise LanError(
                "the kernel's bridge takes no conditions or orders: build the LAN on the kit's switch"
            )
        answers = []
        for control in self._controls:
            control.sendall(json.dumps(request).encode() + b"\n")
            answers.append(_answer(control))
        return answers

    # Building

    def _build(self) -> None:
        plan = {"switches": self.switch_names, "bridge": self.bridge, "hosts": []}
        for one in self.plans:
            ipv6 = any(":" in address for nic in one.nics for address in nic.addresses)
            settings = SYSCTL | (IPV6 if ipv6 else NO_IPV6) | one.sysctl
            if not ipv6:  # a kernel built without IPv6 has none of these
                settings = {
                    name: value for name, value in settings.items() if name != "net.ipv6.conf.all.forwarding"
                }
            plan["hosts"].append(
                {"sysctl": settings, "nics": self._nics(one), "gateways": self._gateways(one)}
            )
        self._socket.settimeout(BUILD_LIMIT_S)
        self._socket.sendall(json.dumps(plan).encode() + b"\n")
        text, descriptors, *_ = socket.recv_fds(self._socket, 65536, 250)
        answer = json.loads(text or b'{"error": "the keeper of the LAN ended without a word"}')
        self._held = descriptors[: 3 + len(self.plans)]
        if "error" in answer:
            raise (LanRefused if answer.get("refused") else LanError)(answer["error"])
        self._new_user = answer["new_user"]
        self._controls = [socket.socket(fileno=one) for one in descriptors[3 + len(self.plans) :]]
        for name, control in zip(self.switch_names, self._controls, strict=False):
            control.settimeout(ANSWER_LIMIT_S)
            if "ready" not in _answer(control):
                raise LanError(f"the switch {name!r} did not start")
        self.switches = Place(self, "switches", descriptors[2])
        for one, network in zip(self.plans, descriptors[3:], strict=False):
            self.hosts[plain(one.name)] = Host(self, one, network)

    def descriptors(self) -> tuple[int | None, int]:
        """Descriptors of the LAN's user namespace (None where root did without one) and of its pid namespace."""
        if self._keeper is None:
            raise LanError("the LAN is not running")
        return (self._held[0] if self._new_user else None), self._held[1]

    def _nics(self, plan: HostPlan) -> list[dict]:
        """The cards as the keeper builds them; a port is named for its host, and for the card if there are
        several."""
        return [
            {
                "switch": nic.switch,
                "port": port_name(plan, number),
                "mac": nic.mac,
                "mtu": MTU,
                "offloads": self.offloads,
                "addresses": [
                    {
                        "ip": str(i.ip),
                        "prefix": i.network.prefixlen,
                        "broadcast": str(i.network.broadcast_address),
                    }
                    for i in map(ipaddress.ip_interface, nic.addresses)
                ],
            }
            for number, nic in enumerate(plan.nics)
        ]

    def _gateways(self, plan: HostPlan) -> list[str]:
        """The address of the router on the host's own network, for each version of IP; none for a router."""
        if plan.routes:
            return []
        mine = [ipaddress.ip_interface(address).network for nic in plan.nics for address in nic.addresses]
        offered = [
            ipaddress.ip_interface(a)
            for one in self.plans
            if one.routes
            for nic in one.nics
            for a in nic.addresses
        ]
        return [str(address.ip) for address in offered if address.network in mine]


def _answer(control: socket.socket) -> dict:
    """One line from a switch. Raises LanError where it has ended, ConditionError where it refuses."""
    text = b""
    while not text.endswith(b"\n"):
        try:
            piece = control.recv(65536)
        except TimeoutError:
            raise LanError(
                f"a switch has not answered in {ANSWER_LIMIT_S} s: frames are still under way"
            ) from None
        if not piece:
            raise LanError("a switch has ended")
        text += piece
    answer = json.loads(text)
    if "error" in answer:
        raise ConditionError(answer["error"])
    return answer
