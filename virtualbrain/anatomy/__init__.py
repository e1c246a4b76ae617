"""From a T1 image or a FreeSurfer subject to regions, tissues and surfaces."""
