"""Sessions under ciphers that the kit does not have: ``python -m tests.exposure.leaky_sessions FOLDER CASES``.

The eavesdropper must also fail where it should: on a cipher that it cannot break. The kit ships none, so this module
patches one into the tunnel. A patch in the test's process is not enough: where the user may not record, ``record`` starts
itself again in a namespace, without the patch. Here the patching process itself is started in that namespace.
"""

import json
import random
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from lab.harness import tunnel
from lab.harness.session import record
from lab.harness.tap import may_record
from lab.harness.variant import Variant
from lab.net import namespace
from tests.support import REFUSAL, ROOT


@dataclass(frozen=True)
class Case:
    """A session to record: a keystream that is never repeated but for ``leaks``, or a repeated key of ``key_bytes``."""

    name: str
    seed: int = 0
    leaks: tuple[str, ...] = ()
    key_bytes: int = 0


class Leaky(tunnel.Disguise):
    """A stream cipher that nobody breaks here, but for ``leaks``, which it lets through as they are."""

    leaks: frozenset[bytes] = frozenset()
    keystream = b""

    def hide(self, data):
        return data if data in self.leaks else self._change(data)

    def show(self, data):
        return data if data in self.leaks else self._change(data)

    def _change(self, data):
        start = self._place
        self._place += len(data)
        return bytes(a ^ b for a, b in zip(data, self.keystream[start:], strict=False))


def record_all(folder: Path, cases: list[Case]) -> None:
    """Record each into a folder of its name, in a process that may. Raises CalledProcessError."""
    command = [sys.executable, "-m", __name__, str(folder), json.dumps([asdict(case) for case in cases])]
    if refused := may_record():
        if REFUSAL:
            pytest.skip(f"{refused}, and no namespace can be made here: {REFUSAL}")
        command = namespace.launcher(command)
    subprocess.run(command, cwd=ROOT, check=True, timeout=100)


def main(folder: str, cases: str) -> None:
    usual = tunnel.Disguise
    for case in (Case(**case) for case in json.loads(cases)):
        Leaky.keystream = random.Random(case.seed).randbytes(1 << 16)
        Leaky.leaks = frozenset(text.encode() for text in case.leaks)
        tunnel.Disguise, tunnel.KEY_BYTES = (usual, case.key_bytes) if case.key_bytes else (Leaky, 8)
        record(Path(folder) / case.name, [Variant(disguise="xor")], say=lambda line: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
