"""
What a robot consists of: its processes, their parameters, what they share.

Knows no ROS, so that launch files, the command line and the nodes all take it from here.
"""
