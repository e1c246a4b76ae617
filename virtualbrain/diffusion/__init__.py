"""Compute the connectome from diffusion MRI with MRtrix3."""
