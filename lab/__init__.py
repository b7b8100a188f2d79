"""A packet-capture lab for a computer-networks course."""
