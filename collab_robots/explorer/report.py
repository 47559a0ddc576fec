"""Turn a run into what a person can look at and a program can read."""
