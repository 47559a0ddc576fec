"""
The ledger over a TIP-25 node, such as HORNET or another robot, instead of over the robots' radio.

Robots post their blocks to the node and read everybody's back from it; they need not hear one
another. Nothing above the transport changes, and the node is trusted no more than a teammate: it
can withhold blocks, not forge them.

- :mod:`.node` speaks HTTP, in a thread of its own, one job at a time or several.
- :mod:`.walk` decides what to read, :mod:`.upload` what to post; they know neither network nor
  thread.
- :mod:`.transport` drives both from the ledger's thread.
"""
