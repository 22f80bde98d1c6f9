"""Letters: written, sent, and stopped where they are not wanted."""
