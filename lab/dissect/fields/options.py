"""The options at the end of an IPv4 or TCP header: kind 1 | length 1 | value; two kinds are a single byte."""

from collections.abc import Callable

from lab.dissect.fields.tree import Cursor, Field
from lab.dissect.tcp.options import END, NOP, walk_options


def take_options(
    cursor: Cursor, option: Callable[[Cursor, int], Field], keys: tuple[str, str], source: str
) -> list[Field]:
    """Take all options up to the cursor's end. ``option`` takes one that has a length: its cursor, its kind.

    ``keys`` are Wireshark's names of the two kinds without a length, "No operation" and "End of options".
    """
    options: list[Field] = []
    for kind, _, length in walk_options(cursor.data[cursor.byte : cursor.end]):
        if kind == NOP:
            taken = cursor.run(1, "No operation", "Padding between options.", key=keys[0], source=source)
        elif kind == END:
            meaning = "Ends the list; the rest fills up to 32 bits."
            taken = cursor.rest("End of options", meaning, key=keys[1], source=source)
        else:
            taken = option(cursor.part(length), kind)
        options.append(taken)
    if cursor.left:
        length = cursor.data[cursor.byte + 1] if cursor.left >= 2 else 0
        meaning = f"Kind {cursor.number(8)} claims {length} bytes, which cannot be: the list ends here."
        options.append(cursor.rest("Broken option", meaning, source=source))
    return options
