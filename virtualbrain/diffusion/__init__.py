"""From diffusion MRI to the connectome, with MRtrix3."""
