"""Hidden checks of sheet 10: long segments on either side of 2**32, and LANs on which hosts and liars are drawn."""

import random
from itertools import product

from lab.exercises.checks.tasks import task


@task("in_window")
def hidden_in_window(student, seed):
    rule = "The first or the last number in the window, modulo 2**32; a window of 0 takes an empty segment at its edge only."
    dice = random.Random(f"hidden 10 {seed}")
    for _ in range(200):
        expected, window = dice.randrange(1 << 32), dice.choice([0, dice.randrange(1, 1 << 20)])
        length = dice.choice([0, dice.randrange(1, 1 << 16)])
        first = dice.choice(
            [-length, 1 - length, -1, 0, window - 1, window, dice.randrange(-(1 << 17), 1 << 21)]
        )
        places = (first, first + max(length, 1) - 1)
        right = any(0 <= place < window for place in places) if window else (length, first) == (0, 0)
        arguments = ((expected + first) % (1 << 32), length, expected, window)
        given = "seq {}, length {}; expected {}, window {}".format(*arguments)
        student.expect("in_window", *arguments, right=right, given=given, rules={"": rule})


def macs(dice: random.Random, count: int) -> list[str]:
    return [bytes([2, *dice.randbytes(5)]).hex(":") for _ in range(count)]


@task("arp_conflicts")
def hidden_arp_conflicts(student, seed):
    rule = "Compare with the last message of this address, request or reply; nobody claims 0.0.0.0 (RFC 5227 section 1.1)."
    dice = random.Random(f"hidden 10 arp {seed}")
    addresses = ["0.0.0.0", "192.168.7.1", "192.168.7.10", "192.168.7.100"]
    for number in range(80):
        cards, messages, wrong = macs(dice, dice.randint(1, 3)), [], []
        for frame in sorted(dice.sample(range(1, 5000), dice.randint(0, 25))):
            mac, address = dice.choice(cards), dice.choice(addresses)
            before = [one["mac"] for one in messages if one["address"] == address != "0.0.0.0"]
            wrong += [frame] if before and before[-1] != mac else []
            operation = dice.choice([1, 2])
            messages.append({"frame": frame, "operation": operation, "mac": mac, "address": address})
        given = f"LAN {number}: {len(messages)} messages of {len(cards)} cards"
        student.expect("arp_conflicts", messages, right=wrong, given=given, rules={"": rule})


@task("is_downgrade")
def hidden_is_downgrade(student, seed):
    rule = (
        "The same client and server; a hello, no handshake record back, and then something that is not TLS."
    )
    dice = random.Random(f"hidden 10 downgrade {seed}")
    rest = dice.randbytes(30)
    hello, older, alert = b"\x16\x03\x03" + rest, b"\x16\x03\x00" + rest, b"\x15\x03\x03\x00\x02\x02\x28"
    cut, text, number = b"\x16", b"hello", b"\x16\x02" + rest  # a record's first byte alone says nothing yet
    server, port, other = "10.9.0.1:443", "10.9.0.1:8443", "10.9.0.2:443"
    hosts = [("10.9.0.4", server), ("10.9.0.5", server), ("10.9.0.4", port), ("10.9.0.4", other)]
    answers, later = (hello, older, alert, cut, text, number, b""), (hello, older, cut, text, number, b"")
    for host, sent, answer, then in product(hosts, (hello, older, text, number), answers, later):
        first = {"client": hosts[0][0], "server": hosts[0][1], "sent": sent, "received": answer}
        second = {"client": host[0], "server": host[1], "sent": then, "received": dice.choice(answers)}
        right = (
            host == hosts[0]
            and sent in (hello, older)
            and answer not in (hello, older)
            and then not in (hello, older, b"")
        )
        given = f"sent {sent[:6].hex(' ')}, received {answer[:6].hex(' ') or 'nothing'}; then {then[:6].hex(' ') or 'nothing'}"
        student.expect("is_downgrade", first, second, right=right, given=given, rules={"": rule})


@task("find_forged")
def hidden_find_forged(student, seed):
    rule = (
        "MAC and TTL of an address are those of its first segment; nothing else in a segment accuses anybody."
    )
    dice = random.Random(f"hidden 10 forged {seed}")
    flags = [{"SYN"}, {"SYN", "ACK"}, {"ACK"}, {"PSH", "ACK"}, {"RST"}, {"FIN", "ACK"}]
    for number in range(60):
        hosts = dice.randint(2, 5)
        traits = list(zip(macs(dice, hosts), dice.choices([64, 128, 255], k=hosts), strict=True))
        share = dice.choice([0, 0, 0.1, 0.5])
        segments, forged, seen = [], [], set()
        for frame in sorted(dice.sample(range(1, 9000), dice.randint(1, 60))):
            host, (other_mac, other_ttl) = dice.randrange(hosts), dice.choice(traits)
            mac, ttl = traits[host]
            if host in seen and dice.random() < share:  # the liar has her own card, sets the TTL, or neither
                mac, ttl = dice.choice([(mac, ttl - 1), (other_mac, ttl), (other_mac, other_ttl)])
            seen.add(host)
            forged += [frame] if (mac, ttl) != traits[host] else []
            ends = [
                f"10.8.0.{place + 1}:{dice.choice([22, 9898, 50123])}"
                for place in (host, dice.randrange(hosts))
            ]
            numbers = {"id": dice.randrange(1 << 16), "seq": dice.randrange(1 << 32)}
            about = {"frame": frame, "mac": mac, "source": ends[0], "destination": ends[1], "ttl": ttl}
            segments.append(about | numbers | {"flags": dice.choice(flags), "payload": dice.randbytes(3)})
        given = f"LAN {number}: {len(segments)} segments of {hosts} hosts"
        student.expect("find_forged", segments, right=forged, given=given, rules={"": rule})
