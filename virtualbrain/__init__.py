"""A personal virtual brain: one patient's Epileptor network, its fit, surgery and report."""
