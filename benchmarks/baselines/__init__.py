"""
Our own models of published rules, to compare the ledger with.

They are not the software that these rules are known from (geth, CometBFT): no signatures, no
virtual machine, no peer management, and every robot is honest. What they keep is who may speak
when, what counts as decided, and what happens to the rest when the network splits and heals.
"""
