"""From a frame to what its IP packet carries, for whole columns of frames."""
