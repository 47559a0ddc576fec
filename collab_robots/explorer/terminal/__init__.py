"""The ledger in a terminal: answers in print, and live."""
