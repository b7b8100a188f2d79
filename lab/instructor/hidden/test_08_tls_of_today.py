"""Hidden checks of sheet 08: hellos cut at every place, and names of made-up clients."""

import random
from functools import lru_cache

from lab.dissect.tls.ja4 import ja4
from lab.exercises.checks.hellos import some_hello, vector
from lab.exercises.checks.tasks import task


@task("hello_across_segments")
def hidden_hello_across_segments(student, seed):
    rule = (
        "Complete with 4 bytes and as many more as bytes 1 to 3 say, over all records (RFC 8446 section 5.1)."
    )
    dice = random.Random(f"hidden 08 segments {seed}")
    hello = some_hello(dice)[:180]
    hello = hello[:1] + vector(3, hello[4:])
    size = dice.randint(20, 90)
    stream = b"".join(b"\x16\x03\x01" + vector(2, hello[at : at + size]) for at in range(0, len(hello), size))
    for cut in range(len(stream) + 1):
        right = hello if cut == len(stream) else None
        payloads = [stream[: cut // 2], stream[cut // 2 : cut]]
        given = f"{cut} of {len(stream)} bytes in two segments"
        student.expect("hello_across_segments", payloads, right=right, given=given, rules={"": rule})


right_ja4 = lru_cache(maxsize=64)(ja4)  # the same hellos for each student of a grader


@task("ja4")
def hidden_ja4(student, seed):
    rule = "Letter by letter as the docstring says (FoxIO's JA4; RFC 8701 on GREASE)."
    dice = random.Random(f"hidden 08 ja4 {seed}")
    for number in range(60):
        hello = some_hello(dice)
        given = f"hello {number}, {len(hello)} bytes: {hello[38:80].hex(' ')} ..."
        student.expect("ja4", hello, right=right_ja4(hello), given=given, rules={"": rule})
