"""Who does which part of a frame: the best option for one frame, the best line for many."""
