"""Starting Snakemake, its jobs, their faults, verification and the check at minute 0."""
