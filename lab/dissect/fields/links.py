"""The headers between a link and the packet, field by field: LLC and SNAP, PPPoE, MPLS (see ``link_layer``).

Each function takes one header from a cursor, appends its layer, and returns the EtherType of what follows,
or 0 where that is not known.
"""

from lab.dissect.fields.tree import Cursor, Field, Row, layer
from lab.dissect.packets.link_layer import LONGEST_LLC, MPLS_TYPES, TYPE_IPV4, TYPE_IPV6
from lab.dissect.packets.network_names import ETHER_TYPES, PPP_PROTOCOLS


def _named(names: dict[int, str]):
    return lambda value: f"0x{value:04x}" + (f" ({names[value]})" if value in names else "")


LLC = (
    Row(
        "Destination SAP",
        "llc.dsap",
        8,
        "What it is for, here {text}; aa: a SNAP header follows.",
        "{:02x}".format,
    ),
    Row("Source SAP", "llc.ssap", 8, "What it is from, here {text}.", "{:02x}".format),
    Row("Control", "llc.control", 8, "3: an unnumbered frame, which nobody acknowledges.", "0x{:02x}".format),
)
SNAP = (
    Row("Organisation", "llc.oui", 24, "Who numbers the types: 0 is Ethernet.", "0x{:06x}".format),
    Row("Type", "llc.type", 16, "What follows: {text}.", _named(ETHER_TYPES)),
)
PPPOE = (
    Row("Version", "pppoe.version", 4, "Always 1."),
    Row("Kind", "pppoe.type", 4, "Always 1."),
    Row("Code", "pppoe.code", 8, "0: data of a session.", "0x{:02x}".format),
    Row(
        "Session",
        "pppoe.session_id",
        16,
        "Which session between this host and its provider.",
        "0x{:04x}".format,
    ),
    Row("Length", "pppoe.payload_length", 16, "Bytes behind this header: {value}."),
)
PPP = (Row("Protocol", "ppp.protocol", 16, "What follows: {text}.", _named(PPP_PROTOCOLS)),)
MPLS = (
    Row(
        "Label", "mpls.label", 20, "The next router looks only at this number to know where the packet goes."
    ),
    Row("Traffic class", "mpls.exp", 3, "How urgent the packet is."),
    Row("Last label", "mpls.bottom", 1, "1: behind this label the packet begins."),
    Row("Time to live", "mpls.ttl", 8, "At most {value} more routers."),
)


def dissect_llc(cursor: Cursor, layers: list[Field]) -> int:
    start = cursor.bit
    fields, whole = cursor.table(LLC, "IEEE 802.2 section 3")
    following = 0
    if whole and [one.value for one in fields] == [0xAA, 0xAA, 3]:
        snap, whole = cursor.table(SNAP, "RFC 1042")
        fields += snap
        if whole and not snap[0].value and snap[1].value > LONGEST_LLC:
            following = snap[1].value
    elif whole and [one.value for one in fields] == [6, 6, 3]:
        following = TYPE_IPV4
    layers.append(
        layer("LLC", "llc", start, fields, "Says what follows where Ethernet has a length for a type.")
    )
    return following


def dissect_pppoe(cursor: Cursor, layers: list[Field]) -> int:
    start = cursor.bit
    fields, whole = cursor.table(PPPOE, "RFC 2516 section 4")
    layers.append(layer("PPPoE", "pppoe", start, fields, "Carries a dial-up session over Ethernet."))
    if not whole or not cursor.left:
        return 0
    cursor.end = min(cursor.end, cursor.byte + fields[4].value)
    start = cursor.bit
    protocol, whole = cursor.table(PPP, "RFC 1661 section 2")
    if protocol:
        layers.append(layer("PPP", "ppp", start, protocol, "Says what the session carries."))
    return {0x21: TYPE_IPV4, 0x57: TYPE_IPV6}.get(protocol[0].value, 0) if whole else 0


def dissect_mpls(cursor: Cursor, layers: list[Field]) -> int:
    start = cursor.bit
    fields, whole = cursor.table(MPLS, "RFC 3032 section 2.1")
    layers.append(layer("MPLS", "mpls", start, fields, "A label by which routers switch the packet on."))
    if not whole or not cursor.left:
        return 0
    if not fields[2].value:
        return MPLS_TYPES[0]
    return {4: TYPE_IPV4, 6: TYPE_IPV6}.get(cursor.number(4), 0)
