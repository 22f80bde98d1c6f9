"""Jobs: accepted, worked off, read, ended; their images."""
