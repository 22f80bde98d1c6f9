"""The words in which a domain describes its part of the API."""
