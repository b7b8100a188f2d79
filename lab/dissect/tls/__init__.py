"""TLS: records, what their handshake says, and their contents where the keys are known."""
