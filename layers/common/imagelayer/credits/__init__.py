"""Balances, the ledger, usage and alerts."""
