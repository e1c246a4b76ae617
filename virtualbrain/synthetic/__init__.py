"""Synthetic patients of known truth, and the comparison of results with that truth."""
