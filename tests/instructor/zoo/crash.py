"""Crash."""
# contained: the process ended

import ctypes


def attack(world, call):
    ctypes.string_at(0)
