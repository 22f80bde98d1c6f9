"""The operator's actions and the sweep."""
