"""
The contracts of the fleet: executed on the ledger's order, read as typed values.

It knows nothing of blocks, peers or the network, and decides nothing itself: the rules are in
``contracts/*.sol``, the order comes from :mod:`collab_robots.tangle.order`. What a call changed is
learnt from its events, what there is to know from each contract's ``fact``, and what it means by
asking the contract.
"""
