"""Trains, with torch, what robots then run without it."""
