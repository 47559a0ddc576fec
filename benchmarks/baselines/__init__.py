"""
Our own models of published rules, to compare ours with.

They are not the software that these rules are known from (geth, CometBFT): no signatures, no
virtual machine, no peer management, and every robot is honest. What they keep is who may speak
when, what counts as decided, and what happens to the rest when the network splits and heals.

Those for collaborative inference (``offload``, ``neurosurgeon``, ``dsc``, ``dyno``) are published
choices and packings; they run on our times, messages and network, so that nothing else differs.
"""
