"""Seizures of a fitted patient on the cortical surface, vertex by vertex."""
