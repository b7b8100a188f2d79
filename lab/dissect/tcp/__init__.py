"""TCP: segments as columns, flows, streams, and what went wrong on the way."""
