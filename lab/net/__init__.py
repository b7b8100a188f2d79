"""A LAN of network namespaces, made by an ordinary user (Linux)."""
