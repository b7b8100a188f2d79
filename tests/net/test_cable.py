"""A cable's rates and exact orders, tried with made-up times: no socket, no clock, no namespace."""

import struct

import pytest

from lab.net.cable import REORDER_LIMIT_S, CableDirection, Condition, install
from lab.net.orders import KINDS, ConditionError, Order, classify

SYN, FIN, RST, PSH, ACK = 0x02, 0x01, 0x04, 0x08, 0x10


def tcp(flags: int, payload: bytes = b"", seq: int = 1, ipv6: bool = False, padding: int = 0) -> bytes:
    """A frame with a TCP segment; checksums are left at 0, which no part of a cable looks at."""
    segment = struct.pack("!HHIIBBHHH", 56228, 9898, seq, 1, 5 << 4, flags, 502, 0, 0) + payload
    if ipv6:
        packet = struct.pack("!IHBB", 6 << 28, len(segment), 6, 64) + bytes(32) + segment
    else:
        packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, 64, 6, 0) + bytes(8) + segment
    return bytes(12) + (b"\x86\xdd" if ipv6 else b"\x08\x00") + packet + bytes(padding)


def data(number: int) -> bytes:
    return tcp(PSH | ACK, b"message %d" % number, seq=number)


def arrived(line: CableDirection, until: float = 1e9) -> list[int]:
    """The sequence numbers of the frames that have come out by then."""
    return [classify(frame).seq for frame in line.pop(until)]


def ordered(text: str, frames: list[bytes], line: CableDirection | None = None) -> list[int]:
    line = line or CableDirection("from PC1")
    install(Order.parse(text), [line], 0.0)
    for frame in frames:
        line.push(frame, 0.0)
    return arrived(line)


# Kinds of frames


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize(
    "flags, payload, kinds",
    [
        (SYN, b"", {"SYN"}),
        (SYN | ACK, b"", {"SYN-ACK"}),
        (ACK, b"", {"ACK"}),
        (PSH | ACK, b"hello", {"data segment"}),
        (FIN | ACK, b"", {"FIN"}),
        (FIN | ACK, b"bye", {"FIN", "data segment"}),
        (RST, b"", {"RST"}),
        (RST | ACK, b"", {"RST"}),
    ],
)
def test_classify_tells_segments_apart(ipv6, flags, payload, kinds):
    seen = classify(tcp(flags, payload, seq=7, ipv6=ipv6, padding=6))
    assert seen.kinds == kinds | {"frame", "segment"}
    assert (seen.seq, seen.payload_length) == (7, len(payload))


def test_classify_knows_other_frames():
    assert classify(bytes(12) + b"\x08\x06" + bytes(28)).kinds == {"frame", "ARP"}
    udp = struct.pack("!BBHHHBBH", 0x45, 0, 20 + 8 + 3, 1, 0, 64, 17, 0) + bytes(16) + b"abc"
    seen = classify(bytes(12) + b"\x08\x00" + udp)
    assert (seen.kinds, seen.payload_length) == ({"frame", "datagram"}, 3)


def test_classify_never_fails():
    whole = tcp(PSH | ACK, b"hello")
    for length in range(len(whole)):
        assert classify(whole[:length]).kinds >= {"frame"}
        assert classify(whole[:14] + b"\xff" * length).kinds >= {"frame"}


# Rates


def test_a_perfect_line_adds_nothing():
    line = CableDirection()
    assert line.is_idle(0.0)
    line.push(data(1), 5.0)
    line.push(data(2), 5.0)
    assert line.next_due() == 5.0
    assert arrived(line, 5.0) == [1, 2]
    assert line.next_due() is None


def test_delay():
    line = CableDirection(condition=Condition(delay_s=0.2))
    line.push(data(1), 1.0)
    assert line.next_due() == pytest.approx(1.2)
    assert arrived(line, 1.19) == []
    assert arrived(line, 1.21) == [1]


def test_jitter_waits_no_longer_than_it_may_and_never_reorders():
    line = CableDirection(condition=Condition(delay_s=0.1, jitter_s=0.05, seed=3))
    waited = []
    for number in range(200):
        line.push(data(number), number * 1.0)
        waited.append(line.next_due() - number)
        assert arrived(line, number + 0.9) == [number]
    assert min(waited) >= 0.1 and max(waited) <= 0.15 and max(waited) - min(waited) > 0.04
    for number in range(200):
        line.push(data(number), 1000.0)
    assert arrived(line) == list(range(200))


def test_the_rate_sends_one_frame_after_the_other():
    frame = data(1)
    line = CableDirection(condition=Condition(rate_bits_per_s=len(frame) * 8))  # one frame a second
    for number in (1, 2, 3):
        line.push(data(number), 10.0)
    assert arrived(line, 10.9) == []
    assert arrived(line, 11.0) == [1]
    assert arrived(line, 12.5) == [2]
    assert arrived(line, 13.0) == [3]


def test_the_queue_drops_its_tail():
    line = CableDirection(condition=Condition(rate_bits_per_s=len(data(1)) * 8, queue_frames=2))
    for number in range(5):
        line.push(data(number), 0.0)
    line.push(data(9), 1.0)  # one has been sent by now, so there is room for one
    assert arrived(line) == [0, 1, 9]
    assert line.counts == {"queue full": 3}


@pytest.mark.parametrize("kind", ["loss", "duplicate", "reorder", "corrupt"])
def test_a_rate_hits_its_share_and_the_same_seed_the_same_frames(kind):
    def play(seed: int) -> list[bytes]:
        line = CableDirection("from PC1", Condition(**{kind: 0.3}, seed=seed))
        out = []
        for number in range(1000):
            line.push(data(number), number / 1000)
            out += line.pop(number / 1000)
        share = 0.3 / 1.3 if kind == "reorder" else 0.3  # two neighbours cannot both be kept back
        assert sum(line.counts.values()) == pytest.approx(1000 * share, abs=60)
        return out + line.pop(1e9)

    assert play(1) == play(1) != play(2)


def test_loss_of_one_is_all_and_of_zero_none():
    for loss, left in ((0.0, 100), (1.0, 0)):
        line = CableDirection(condition=Condition(loss=loss, delay_s=0.1))
        for number in range(100):
            line.push(data(number), 0.0)
        assert len(arrived(line)) == left


def test_one_rate_does_not_change_what_another_hits():
    def lost(**more) -> set[int]:
        line = CableDirection("to PC1", Condition(loss=0.2, seed=5, **more))
        for number in range(300):
            line.push(data(number), 0.0)
        return set(range(300)) - set(arrived(line))

    assert lost() == lost(jitter_s=0.1) == lost(duplicate=0.5)


def test_corruption_flips_one_bit_behind_the_ethernet_header():
    line = CableDirection(condition=Condition(corrupt=1.0))
    for number in range(50):
        frame = data(number)
        line.push(frame, float(number))
        (changed,) = line.pop(float(number))
        flipped = int.from_bytes(frame, "big") ^ int.from_bytes(changed, "big")
        assert flipped.bit_count() == 1 and changed[:14] == frame[:14]


def test_a_frame_kept_back_is_overtaken_by_the_next():
    line = CableDirection(condition=Condition(reorder=1.0))
    line.push(data(1), 0.0)
    assert arrived(line, 0.01) == []
    line.push(data(2), 0.02)
    assert arrived(line, 0.02) == [2, 1]


def test_a_frame_kept_back_with_none_behind_it_goes_on_alone():
    line = CableDirection(condition=Condition(reorder=1.0))
    line.push(data(1), 0.0)
    assert line.next_due() == REORDER_LIMIT_S
    assert arrived(line, REORDER_LIMIT_S) == [1]


@pytest.mark.parametrize(
    "field, value, says",
    [
        ("loss", 1.1, "loss must be from 0 to 1"),
        ("loss", -0.1, "loss must be from 0 to 1"),
        ("corrupt", float("nan"), "corrupt must be from 0 to 1"),
        ("delay_s", -1, "delay_s must be from 0 to"),
        ("jitter_s", 1e9, "jitter_s must be from 0 to"),
        ("rate_bits_per_s", -5, "rate_bits_per_s must be 0"),
        ("queue_frames", 0, "queue_frames must be 1 or more"),
        ("queue_frames", 1.5, "queue_frames must be a number"),
        ("reorder", "often", "reorder must be a number"),
    ],
)
def test_a_condition_out_of_range_is_one_clear_line(field, value, says):
    with pytest.raises(ConditionError, match=says) as caught:
        Condition(**{field: value})
    assert "\n" not in str(caught.value)


# Orders

FIVE = [data(number) for number in (1, 2, 3, 4, 5)]


def test_drop_the_third_data_segment():
    acks = [frame for one in FIVE for frame in (one, tcp(ACK, seq=99))]
    assert ordered("drop the third data segment from PC 1", acks) == [1, 99, 2, 99, 99, 4, 99, 5, 99]


def test_drop_several_and_then_no_more():
    assert ordered("drop the second next two data segments from PC1", FIVE) == [1, 4, 5]


def test_swap_the_next_two():
    assert ordered("swap the next two", FIVE) == [2, 1, 3, 4, 5]


def test_a_swap_is_of_two_frames_on_one_cable():
    one, other = CableDirection("from PC1"), CableDirection("from PC2")
    install(Order.parse("swap the next two"), [one, other], 0.0)
    one.push(data(1), 0.0)
    other.push(data(2), 0.0)
    assert (arrived(one), arrived(other)) == ([], [2])
    one.push(data(3), 0.0)
    assert arrived(one) == [3, 1]


def test_hold_the_syn_ack_while_others_pass():
    line = CableDirection("from server")
    install(Order.parse("hold the SYN-ACK 3 s"), [line], 0.0)
    line.push(tcp(SYN | ACK, seq=1), 1.0)
    line.push(tcp(SYN | ACK, seq=1), 2.0)
    assert line.next_due() == 2.0
    assert arrived(line, 3.9) == [1]
    assert arrived(line, 4.0) == [1]


def test_duplicate_and_corrupt():
    assert ordered("duplicate the second data segment", FIVE) == [1, 2, 2, 3, 4, 5]
    line = CableDirection()
    install(Order.parse("corrupt the second data segment"), [line], 0.0)
    for frame in FIVE:
        line.push(frame, 0.0)
    out = line.pop(0.0)
    assert [a == b for a, b in zip(out, FIVE, strict=True)] == [True, False, True, True, True]


def test_cut_the_cable():
    line = CableDirection()
    install(Order.parse("cut the cable of PC1 for 2 s"), [line], 10.0)
    line.push(data(1), 10.0)
    line.push(data(2), 11.99)
    assert line.next_due() is None and not line.is_idle(11.99)
    line.push(data(3), 12.0)
    assert arrived(line) == [3] and line.is_idle(12.0)
    assert line.counts == {"cut the cable of PC1 for 2 s": 2}


def test_an_order_without_a_host_counts_over_all_cables():
    lines = [CableDirection("from PC1"), CableDirection("from PC2")]
    install(Order.parse("drop the second data segment"), lines, 0.0)
    lines[0].push(data(1), 0.0)
    lines[1].push(data(2), 0.0)
    lines[0].push(data(3), 0.0)
    assert (arrived(lines[0]), arrived(lines[1])) == ([1, 3], [])
    assert all(line.is_idle(0.0) for line in lines)


def test_two_orders_at_once():
    line = CableDirection()
    install(Order.parse("drop the second data segment"), [line], 0.0)
    assert ordered("drop the second data segment", FIVE, line) == [1, 3, 4, 5], "one frame is one order's"
    install(Order.parse("drop the first data segment"), [line], 0.0)
    assert ordered("drop the fifth data segment", FIVE, line) == [2, 3, 4]


def test_the_deeds_say_what_was_done_to_what():
    line = CableDirection("from PC1")
    ordered("drop the third data segment", FIVE, line)
    assert list(line.actions) == [
        {"cable": "from PC1", "did": "drop the third data segment", "frame": 3, "kind": "data segment",
         "seq": 3, "payload_length": 9}
    ]  # fmt: skip


def test_a_held_frame_meets_the_rates_too():
    line = CableDirection(condition=Condition(delay_s=0.5))
    install(Order.parse("hold the first data segment 2 s"), [line], 0.0)
    line.push(data(1), 0.0)
    line.push(data(2), 0.0)
    assert arrived(line, 0.5) == [2]
    assert arrived(line, 2.5) == [1]


# Orders in words


@pytest.mark.parametrize(
    "text, order",
    [
        ("drop the third data segment from PC 1", Order("drop", "data segment", 3, host="PC 1")),
        ("swap the next two", Order("swap", "frame", 1, 2)),
        ("hold the SYN-ACK 3 s", Order("hold", "SYN-ACK", seconds=3.0)),
        ("hold the SYN/ACK from server for 250 ms", Order("hold", "SYN-ACK", host="server", seconds=0.25)),
        ("cut the cable for 2 s", Order("cut", seconds=2.0)),
        ("cut the cable of PC 1 for 2 s", Order("cut", host="PC 1", seconds=2.0)),
        ("drop the next 5 ACKs to PC1", Order("drop", "ACK", 1, 5, "PC1", "to")),
        ("duplicate the 12th segment", Order("duplicate", "segment", 12)),
        ("corrupt the FIN from PC2", Order("corrupt", "FIN", host="PC2")),
    ],
)
def test_orders_are_read_and_written_in_words(text, order):
    assert Order.parse(text) == order
    assert Order.parse(str(order)) == order


@pytest.mark.parametrize(
    "text, says",
    [
        ("", "cannot read the order"),
        ("lose it", "cannot read the order"),
        ("cut the grass for 2 s", "cannot read the order"),
        ("drop the third unicorn", "unknown kind of frame 'unicorn'"),
        ("drop the 0th data segment", "counting starts at 1"),
        ("swap the next three", "a swap takes two frames"),
        ("swap the data segment", "a swap takes two frames"),
        ("hold the SYN-ACK", "hold needs a time"),
        ("hold the SYN-ACK 0 s", "hold needs a time"),
        ("cut the cable", "cut needs a time"),
        ("cut the cable for 1.2.3 s", "'1.2.3' is not a time"),
        ("cut the cable for 100000 s", "cut needs a time, up to 600 s"),
        ("drop the third data segment from PC1 3 s", "drop takes no time"),
    ],
)
def test_an_impossible_order_is_one_clear_line(text, says):
    with pytest.raises(ConditionError, match=says) as caught:
        Order.parse(text)
    assert "\n" not in str(caught.value)


def test_every_kind_can_be_ordered():
    for kind in KINDS:
        assert Order.parse(f"drop the second {kind} from PC1").kind == kind
