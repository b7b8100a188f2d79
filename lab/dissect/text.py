"""Show bytes and numbers as text. ``printable`` keeps what comes from the network from steering a terminal."""


def counted(number: int, noun: str) -> str:
    """Return "1 flow", "2,000 flows", "0 flows"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def ascii_text(data: bytes) -> str:
    """Return printable ASCII, and a dot for any other byte, as Wireshark's bytes pane does."""
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


def hex_dump(data: bytes) -> str:
    """Return the bytes in hexadecimal and as ASCII, sixteen a line."""
    lines = []
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        lines.append(f"{start:04x}  {row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}  {ascii_text(row)}")
    return "\n".join(lines)


def printable(data: bytes | str) -> str:
    """Return text that cannot steer a terminal: what is not printable is a dot, but for line ends."""
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    return "\n".join(_line(line) for line in text.split("\n"))


def _line(text: str) -> str:
    return text if text.isprintable() else "".join(one if one.isprintable() else "·" for one in text)
