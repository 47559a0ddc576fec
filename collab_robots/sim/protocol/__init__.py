"""
The whole ledger protocol, simulated: real ledgers, virtual time, one seed is one run.

A scenario is drawn from the seed: who is Byzantine, who crashes, who hears whom and when. The
invariants that DESIGN promises are checked while it runs and at its end. Nothing here knows maps,
tasks or radio waves; :mod:`collab_robots.sim.simulator` does.
"""
