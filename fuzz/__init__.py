"""Fuzzing of everything that takes bytes from outside: ``python -m fuzz TARGET --seconds 600``."""
