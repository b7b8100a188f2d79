"""Display filters select the frames that tshark selects."""

import os
import random
import re
import subprocess
from pathlib import Path

import pytest

from lab.dissect import oracle, read_segments
from lab.dissect.tcp.analysis import LABELS
from lab.explorer.page import WEB, join_modules, read_style
from tests.explorer.pages import SHIPPED, data_of
from tests.support import CAPTURES, some_of

pytestmark = pytest.mark.tshark

FILTERS = """
tcp  ip  eth  arp  udp  ipv6  tls  tcp.payload  tcp.checksum  ip.checksum  tcp.flags.fin  ip.flags.df
tcp.port == 9898 && tcp.len > 0
tcp.port != 9898
!(tcp.port == 9898)
tcp.srcport==9898 or tcp.len==0 and not tcp.flags.fin == 1
tcp.flags.push == 1
tcp.flags == 0x018
tcp.flags.reset == 1
tcp.stream == 0
tcp.seq > 40
tcp.ack == 1
tcp.seq_raw > 2000000000
tcp.hdr_len > 20
tcp.window_size < 1000
tcp.window_size_value == 64
tcp.len in {4, 5, 21}
tcp.options.mss_val  tcp.options.sack_perm
tcp.options.wscale.shift == 10
tcp.options.timestamp.tsecr == 0
tcp.payload contains "o"
tcp.payload contains 68:65
tcp.payload == 68:65:6c:6c:6f
frame contains "hello"
frame.number in {1, 2, 3}
frame.len > 100
frame.time_relative > 0.5
ip.src == 127.0.0.1
ip.addr == 10.27.27.0/24
ip.hdr_len == 20
ip.ttl == 64
ip.len > 100
eth.addr == 00:00:00:00:00:00
eth.type == 0x0806
arp.opcode == 1
arp.src.proto_ipv4 == 10.27.27.0/24
tls.record.content_type == 23
tls.record.content_type == 22
tls.record.content_type
tls.record.opaque_type == 23
tls.record.length > 30
tls.record.version == 0x0301
tls.handshake.type == 1
tls.handshake.type == 11
tls.handshake.type == 20
tls.handshake.type
tls.handshake.ciphersuite == 0x1301
tls.handshake.extensions_server_name == "chat.lab.test"
tls.handshake.extensions_key_share_group == 0x11ec
tls.handshake.certificate || tls.alert_message
tls.alert_message
tls.alert_message.desc == 48 || tls.alert_message.desc == 42
tls.alert_message.level == 2
"""
JUDGEMENTS = [f"tcp.analysis.{name}" for name in [*LABELS, "flags"]]
# Prints, in one pass of tshark, the frames that each of the filters in the file $FILTERS lets through.
LISTENERS = """
for filter in io.lines(os.getenv("FILTERS")) do
  local found, tap = {}, Listener.new("frame", filter)
  function tap.packet(pinfo) found[#found + 1] = pinfo.number end
  function tap.draw() print(filter, table.concat(found, " ")) end
end
"""


def listed() -> list[str]:
    """The filters above: two blanks part those without a relation."""
    return [one for line in FILTERS.strip().splitlines() for one in line.split("  ")] + JUDGEMENTS


def comparable(path: Path, filters: list[str]) -> list[str]:
    """The filters whose frames must be the same in this capture.

    tshark reads UDP in what an ICMP error quotes, and takes a record that follows a forged acknowledgement for a
    spurious retransmission.
    """
    has_icmp = any(name.startswith("ICMP") for name in read_segments(path).not_looked_into)
    different = ["udp"] * has_icmp + ["tls"] * (path.stem == "inject-server")
    return [one for one in filters if not any(part in one for part in different)]


def generated(seed: int, count: int = 60) -> list[str]:
    """Filters made of the ones above, with other numbers, in brackets, negated and joined."""
    dice, made = random.Random(seed), listed()
    numbers = [
        "tcp.seq",
        "tcp.ack",
        "tcp.len",
        "tcp.window_size",
        "frame.len",
        "ip.id",
        "tcp.dstport",
        "tcp.stream",
    ]
    for _ in range(count):
        kind = dice.randrange(4)
        if kind == 0:
            relation = dice.choice(["==", "!=", "<", "<=", ">", ">=", "eq", "ne", "lt", "le", "gt", "ge"])
            made.append(
                f"{dice.choice(numbers)} {relation} {dice.choice([0, 1, 2, 5, 40, 47, 64, 66, 200, 9898])}"
            )
        elif kind == 1:
            made.append(f"{dice.choice(['!', 'not '])}({dice.choice(made)})")
        else:
            joint = dice.choice(["&&", "||", "and", "or"])
            left, right = dice.choice(made), dice.choice(made)
            made.append(f"{left} {joint} {right}" if kind == 2 else f"({left}) {joint} ({right})")
    return made


def by_tshark(path: Path, filters: list[str], folder: Path, keys: Path | None) -> dict[str, list[int]]:
    (folder / "filters").write_text("\n".join(filters) + "\n", encoding="utf-8")
    (folder / "listeners.lua").write_text(LISTENERS, encoding="utf-8")
    options = ["-q", "-X", f"lua_script:{folder / 'listeners.lua'}", "-r", str(path)]
    options += ["-o", f"tls.keylog_file:{keys}"] if keys else []
    environment = os.environ | {"FILTERS": str(folder / "filters")}
    command = [oracle.tshark_path(), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return {row[0]: [int(number) for number in row[1].split()] for row in rows}


def by_the_page(tab, path: Path, filters: list[str], keys: Path | None) -> dict[str, list[int]]:
    data = data_of(path, (keys.read_bytes(),) if keys else ())
    tab.goto("about:blank")
    script = join_modules("explorer.js") + "Object.assign(window, { Capture, readFilter });"
    tab.add_script_tag(content=script, type="module")
    found = tab.evaluate(
        """([data, unlocked, filters]) => {
            const capture = new Capture(data);
            capture.unlocked = unlocked;
            const numbers = Array.from({ length: capture.count }, (_, i) => i + 1);
            return filters.map(readFilter).map(filter => numbers.filter(number => filter(capture, number)));
        }""",
        [data, keys is not None, filters],
    )
    return dict(zip(filters, found, strict=True))


def with_keys() -> list:
    found = [(path, None) for path in SHIPPED]
    return found + [(path, keys) for path in SHIPPED if (keys := path.with_suffix(".keys")).exists()]


@pytest.mark.parametrize(
    ("path", "keys"), [pytest.param(*one.values[0], marks=one.marks) for one in some_of(with_keys(), 12)]
)
def test_a_filter_selects_what_tshark_selects(tab, tmp_path, path, keys):
    filters = comparable(path, generated(SHIPPED.index(path)))
    ours, theirs = by_the_page(tab, path, filters, keys), by_tshark(path, filters, tmp_path, keys)
    assert {one: ours[one] for one in filters} == {one: theirs[one] for one in filters}
    assert any(ours.values())


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("tcp.lenx > 0", "unknown field tcp.lenx (here: tcp.len; Wireshark has more)", 1),
        (
            "tcp.analysis.ack_rt > 1",
            "unknown field tcp.analysis.ack_rt (here: tcp.analysis.ack_lost_segment; Wireshark has more)",
            1,
        ),
        ("nonsense", "unknown field nonsense (Wireshark has more)", 1),
        ("tcp.len >", "the end is not a value", 10),
        ("tcp.port == 9898 tcp", "expected && or ||, not tcp", 18),
        ("(tcp", "expected ), not the end", 5),
        ("tcp && ", "expected a field, not the end", 8),
        ('tcp.len == "x"', "x is not a number or an address", 12),
        ("ip.src == 300.1.1.1", "300.1.1.1 is not an IPv4 address", 11),
        ("ip.src == 10..1.2", "10..1.2 is not an IPv4 address", 11),
        ("ipv6.src == abc", "abc is not an IPv6 address", 13),
        ("eth.src == 1:2", "1:2 is not a MAC address", 12),
        ("tcp == 1", "this field has no value: leave out the relation", 8),
        ("frame contains hello", "hello is not a text in double quotes or bytes as 68:69", 16),
        ('frame contains "hello', 'cannot read "', 16),
        ("__proto__", "unknown field __proto__ (Wireshark has more)", 1),
    ],
)
def test_an_error_points_at_the_place(open_page, text, message, place):
    tab = open_page(CAPTURES / "report-frame-1193.pcapng")
    tab.fill("#filter", text)
    assert tab.inner_text("#filter-answer").startswith(f"{message}, at character {place}:")
    assert tab.get_attribute("#filter", "aria-invalid") == "true"
    assert tab.locator("[data-frame]").count() == 1  # what was shown stays
    tab.fill("#filter", "tcp.len == 15")
    assert tab.inner_text("#filter-answer") == "1 of 1 frame"


def test_no_module_is_long_and_no_name_is_used_twice():
    """The modules are joined into one script, so their top-level names must differ."""
    modules = {path.name: path.read_text(encoding="utf-8") for path in WEB.glob("*.js")}
    assert max(len(source.splitlines()) for source in modules.values()) <= 300
    names = [
        name
        for source in modules.values()
        for name in re.findall(r"^(?:export )?(?:const|let|class|function) (\w+)", source, re.M)
    ]
    assert len(names) > 50 and len(names) == len(set(names))
    assert not re.search(r"</|<!--", join_modules("page.js") + read_style())  # either would end the element
    assert not re.search(r"^(import|export) ", join_modules("page.js"), re.M)
    assert re.findall(r"^(?:import|export) .*", join_modules("widget.js"), re.M) == [
        "export default { render };"
    ]
