"""What the command lines of the chat's programs share."""

import argparse


def wire_name(text: str) -> str:
    """Return the name of a wire as somebody typed it, for ``argparse``. Raises ArgumentTypeError."""
    if text == "lines":
        raise argparse.ArgumentTypeError("the lines wire is now called json")
    return text
