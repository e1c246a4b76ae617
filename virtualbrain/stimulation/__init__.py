"""Evoked potentials of electrical stimulation, and the complexity of the brain's response."""
