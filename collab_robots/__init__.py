"""A team of robots that keeps working when its network falls apart."""

__version__ = '0.1.0'
