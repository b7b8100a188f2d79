"""What the report's conclusion asked for, each a module of its own that the server is handed, and off until asked for."""
