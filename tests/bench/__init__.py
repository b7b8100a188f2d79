"""Measurements, each a command of its own."""

import signal
import sys


def end_on_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does: what it has started and made goes with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
