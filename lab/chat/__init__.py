"""The application under study: a chat server and its clients, on Python's standard library alone."""
