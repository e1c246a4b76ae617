"""Compute regions, tissues and pial surfaces from a T1 image or a FreeSurfer subject."""
