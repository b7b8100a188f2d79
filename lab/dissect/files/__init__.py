"""Capture files: pcap and pcapng, read as columns and written a block at a time."""
