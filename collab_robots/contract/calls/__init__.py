"""
Contract calls: from Python values to bytes, and from bytes to words for people.

There is one module a contract, :mod:`.common` for what all encoders share, and :mod:`.words`.
Encoding refuses what a contract would revert for its arguments alone, so that a mistake is seen
where it is made and not on the ledger.
"""
