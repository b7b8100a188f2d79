"""How a user who may not record gets to, by system: one line each. Standard library only, no packages."""

import sys

HOW_TO_RECORD = {
    "linux": "allow user namespaces (python3 lab doctor names the setting), or run this one command with sudo",
    "darwin": "install Wireshark with its ChmodBPF package, which lets its users record, and log in again",
    "win32": "install Npcap from npcap.com with loopback support, and without 'administrators only'",
}


def how_to_record() -> str:
    """The one line for this system."""
    return HOW_TO_RECORD.get(sys.platform, HOW_TO_RECORD["linux"])
