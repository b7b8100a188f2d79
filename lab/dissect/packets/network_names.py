"""Numbers of links and networks, and their names (registries of IEEE, IANA and tcpdump.org)."""

# A table of data.
# fmt: off
ETHER_TYPES = {
    0x0800: "IPv4", 0x0806: "ARP", 0x8035: "RARP", 0x8100: "VLAN tag", 0x8137: "IPX", 0x86DD: "IPv6",
    0x8808: "Ethernet flow control", 0x8809: "slow protocols", 0x8847: "MPLS", 0x8848: "MPLS multicast",
    0x8863: "PPPoE discovery", 0x8864: "PPPoE session", 0x888E: "EAPOL", 0x88A8: "service VLAN tag",
    0x88CC: "LLDP", 0x88F7: "PTP", 0x9000: "Ethernet loopback",
}
PROTOCOLS = {
    0: "hop-by-hop options", 1: "ICMP", 2: "IGMP", 4: "IPv4", 6: "TCP", 17: "UDP", 41: "IPv6", 43: "routing",
    44: "fragment", 47: "GRE", 50: "ESP", 51: "authentication", 58: "ICMPv6", 59: "nothing more",
    60: "destination options", 88: "EIGRP", 89: "OSPF", 103: "PIM", 112: "VRRP", 132: "SCTP", 135: "mobility",
    137: "MPLS", 139: "host identity", 140: "shim6",
}
ICMP_TYPES = {
    0: "echo reply", 3: "destination unreachable", 5: "redirect", 8: "echo request", 11: "time exceeded",
}
ICMPV6_TYPES = {
    1: "destination unreachable", 2: "packet too big", 3: "time exceeded", 128: "echo request", 129: "echo reply",
    133: "router solicitation", 134: "router advertisement", 135: "neighbour solicitation",
    136: "neighbour advertisement",
}
IP_OPTIONS = {
    7: "Record route", 68: "Time stamp", 131: "Loose source route", 136: "Stream identifier",
    137: "Strict source route", 148: "Router alert",
}
IP_EXTENSIONS = {
    0: "Hop-by-hop options", 43: "Routing", 51: "Authentication", 60: "Destination options", 135: "Mobility",
    139: "Host identity", 140: "Shim6",
}
TCP_OPTIONS = {
    19: "MD5 signature", 27: "Quick start", 28: "User timeout", 29: "Authentication", 30: "Multipath TCP",
    34: "Fast open cookie", 253: "Experiment 1", 254: "Experiment 2",
}
PPP_PROTOCOLS = {
    0x0021: "IPv4", 0x0057: "IPv6", 0x8021: "IPCP", 0x8057: "IPV6CP", 0xC021: "LCP", 0xC023: "PAP", 0xC223: "CHAP",
}
LINK_TYPES = {
    6: "token ring", 8: "SLIP", 9: "PPP", 10: "FDDI", 50: "PPP", 51: "PPPoE", 104: "Cisco HDLC", 105: "IEEE 802.11",
    107: "frame relay", 127: "IEEE 802.11 (radiotap)", 147: "private link type 147", 166: "PPP", 187: "Bluetooth",
    189: "USB", 192: "PPI", 195: "IEEE 802.15.4", 201: "Bluetooth", 220: "USB", 227: "CAN", 239: "nflog", 249: "USB",
    253: "netlink",
}
# fmt: on
