"""Hidden checks of sheet 03: the checksum of packets of any length, with any bytes in them."""

import random

from lab.dissect.fields.checksums import ones_sum, pseudo_header
from lab.exercises.checks.tasks import task


@task("tcp_checksum")
def hidden_tcp_checksum(student, seed):
    dice = random.Random(f"hidden 03 {seed}")
    rule = (
        "Pseudo-header and segment, its own field as zero, in words of 16 bits; an odd end filled with zero; every "
        "carry added at the low end; then the complement (RFC 1071 section 1, RFC 9293 section 3.1)."
    )
    for number in range(40):
        addresses, options = dice.randbytes(8), dice.randbytes(dice.choice((0, 0, 4, 40)))
        segment = dice.choice((dice.randbytes, bytes))(dice.randint(20, 1480))
        words = 5 + len(options) // 4
        packet = bytes([0x40 + words, 0]) + (4 * words + len(segment)).to_bytes(2, "big")
        packet += dice.randbytes(5) + bytes([6]) + dice.randbytes(2) + addresses + options + segment
        unsummed = segment[:16] + bytes(2) + segment[18:]
        total = ones_sum(pseudo_header(addresses[:4], addresses[4:], 6, len(segment)) + unsummed)
        padded = packet + dice.randbytes(dice.choice((0, 6)))
        given = f"packet {number}: {len(padded)} bytes"
        student.expect("tcp_checksum", padded, right=~total & 0xFFFF, given=given, rules={"": rule})
