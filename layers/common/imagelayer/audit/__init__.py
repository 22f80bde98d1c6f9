"""Security events: written to the log, kept for the organization."""
