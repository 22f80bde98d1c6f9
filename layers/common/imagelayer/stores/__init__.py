"""The only code that calls AWS data services."""
