"""One frame, every bit of it named and explained.

    dissect_frame(bytes) -> frame
        Ethernet   destination | source | type                                                  links
        IPv4       version | header length | ... | checksum, computed and judged | ...          ip
        TCP        source port | ... | flags, one by one | ... | options, one by one            tcp
        TLS        records, handshake messages, extensions; or the application's parts, or data tls

This is Wireshark's middle pane, with a sentence beside each field. The tables follow the diagrams of the
RFCs. Bytes that a layer cannot explain become a "Data" leaf, so that no byte goes missing. The application on
top is not known here: pass a function as ``application`` that names the parts of a payload.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from lab.dissect.fields.links import FIRST_STEPS
from lab.dissect.fields.tls import dissect_tls, looks_like_tls
from lab.dissect.fields.tree import Cursor, Field, group

MOST_LAYERS = 64  # headers in a row; a frame with more ends in a data leaf


class Part(NamedTuple):
    """A named part of an application's payload, for the ``application`` function of ``dissect_frame``."""

    name: str
    length: int  # bytes
    text: str = ""
    meaning: str = ""
    source: str = ""


Application = Callable[[bytes, int, int], tuple[str, Iterable[Part]] | None]


def dissect_frame(frame: bytes, link_type: int = 1, application: Application | None = None) -> Field:
    """Return the tree of the captured bytes of a frame. Its children are the layers, outermost first.

    ``application(payload, source port, destination port)`` is asked about a TCP or UDP payload that is not
    TLS; it returns (layer name, parts in order) or None. Parts that do not fill the payload leave a data leaf
    behind them. Bytes that make no sense raise nothing: they become leaves that say so.
    """
    data = bytes(frame)
    layers: list[Field] = []
    cursor = Cursor(data, 0, len(data))
    step = FIRST_STEPS.get(link_type)
    while step is not None and cursor.left and len(layers) < MOST_LAYERS:
        step = step(cursor, layers)
    if layers and layers[-1].key in ("tcp", "udp") and cursor.left:
        _payload(cursor, layers, application)
    if cursor.left:
        rest = cursor.rest("Data", "Bytes that no layer above explains.", key="data.data")
        layers.append(group("Data", [rest], f"{rest.length} bytes", key="data"))
    cursor.end = len(data)
    if cursor.left:  # behind the length that the IP header states
        meaning = "Bytes behind the packet: Ethernet carries at least 46 bytes and fills short packets up."
        padding = cursor.rest("Padding", meaning, key="eth.padding", source="IEEE 802.3 section 3.2.8")
        layers.append(group("Padding", [padding]))
    text, meaning = f"{len(data)} bytes", "What the recorder kept of one frame."
    return Field("Frame", 0, len(data) * 8, None, text, meaning, "", "frame", "", layers)


def _payload(cursor: Cursor, layers: list[Field], application: Application | None) -> None:
    transport = layers[-1]
    payload = cursor.data[cursor.byte : cursor.end]
    if transport.key == "tcp" and looks_like_tls(payload):
        layers.append(dissect_tls(cursor))
        return
    sport, dport = transport.get(f"{transport.key}.srcport", 0), transport.get(f"{transport.key}.dstport", 0)
    named = application(payload, sport, dport) if application else None
    if named is not None:
        name, parts = named
        fields = [_part_field(cursor, part) for part in parts if cursor.left]
        if cursor.left:
            fields.append(cursor.rest("Data", "Bytes that the application did not name."))
        layers.append(group(name, fields, meaning="What the application says in this segment."))


def _part_field(cursor: Cursor, part: Part) -> Field:
    made = cursor.run(max(part.length, 1), part.name, part.meaning, source=part.source)
    made.text = part.text or made.text
    return made
