"""The instructor's commands, one file each, named as typed."""
