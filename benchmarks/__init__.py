"""Measurements of the ledger, each beside what it is compared with; see README.md."""
