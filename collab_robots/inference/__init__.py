"""What a robot sees: find pictures in a camera frame, name them, place them on the map."""
