"""Policy: every limit, threshold and ratio as a dated parameter with its article. See loader for the files."""

from shouxin.policy.loader import PolicyError, load_book

__all__ = ["PolicyError", "load_book"]
