"""The only code that calls services other than AWS data services."""
