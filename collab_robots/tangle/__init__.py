"""
The ledger: a DAG of signed records that keeps working on both sides of a network split.

It orders what robots say and shows how much of the team has approved it. It does not know what a
call means; the contract above it does. The irrevocable final order is not here yet: its places
are :class:`collab_robots.tangle.approval.Status` and :class:`collab_robots.tangle.order.Order`.
"""
