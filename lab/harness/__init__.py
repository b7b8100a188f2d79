"""Plays chat sessions through the real chat, taps them, and writes down the truth."""
