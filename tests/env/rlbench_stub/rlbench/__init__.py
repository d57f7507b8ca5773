"""Of the stand-in; see rlbench/environment.py."""
__version__ = "1.2.0-stub"
