"""What the report's conclusion asked for, each a module that the server is handed, and off until asked for."""
