"""
The IOTA core API v2 (TIP-25) of a robot's ledger, so that real IOTA clients work on it.

It only shows and hands on: what a block must be, and what becomes of it, the ledger decides. There
are no tokens, transactions, receipts or milestones here; :mod:`.objects` says what stands for
them.
"""
