"""The frames that checks make up."""

import random

from lab.exercises.checks.traffic import Talk, Tape
from tests.dissect.packets import checksum


def test_made_up_frames_are_right_down_to_their_checksums():
    tape = Tape(random.Random(1))
    talk = Talk(tape, ip_options=b"\x94\x04\x00\x00", timestamps=True).open()
    talk.say("client", b"hello")
    talk.close()
    for _, frame in tape.frames:
        words = frame[14] & 15
        assert checksum(frame[14 : 14 + words * 4]) == 0
        segment = frame[14 + words * 4 : 14 + int.from_bytes(frame[16:18], "big")]
        assert checksum(frame[26:34] + b"\x00\x06" + len(segment).to_bytes(2, "big") + segment) == 0
