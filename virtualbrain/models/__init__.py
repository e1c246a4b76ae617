"""Epileptor models: equations, network simulation, seizure detection and stability."""
