"""Who computes a frame, and that every frame gets its one answer."""
