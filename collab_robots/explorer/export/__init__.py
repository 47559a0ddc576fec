"""A ledger in forms that other programs read: tables, bags and drawings."""
