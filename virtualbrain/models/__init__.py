"""The Epileptor family: equations, integrators of networks, stability."""
