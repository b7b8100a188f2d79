"""One file, one command, named as typed."""
