"""Of the stand-in; see rlbench/environment.py."""
