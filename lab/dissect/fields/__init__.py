"""A frame as a tree of fields: each bit has a name, a value and a sentence."""
