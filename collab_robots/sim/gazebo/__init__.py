"""
The same world and robots for Gazebo Harmonic, as files: SDF, URDF, textures, bridge lists.

Generated from what the MuJoCo simulator reads, so the two cannot disagree. Starts nothing and
knows no ROS; SDF of version 1.9, so that Debian's libsdformat 12 can check what Harmonic reads.
"""
