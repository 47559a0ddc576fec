"""
Anchors: what the fleet agreed on, signed by its robots and written to a public chain.

ROS-free, and on no robot's critical path: a robot signs, anybody sends, anybody checks.
"""
