"""What is recorded on a LAN of the kit: one function is one scenario and makes one recording."""
