"""
The contract of the fleet: executed on the ledger's order, read as typed values.

It knows nothing of blocks, peers or the network, and decides nothing itself: the rules are in
``contracts/Fleet.sol``, the order comes from :mod:`collab_robots.tangle.order`.
"""
