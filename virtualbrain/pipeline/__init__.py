"""The pipeline: check of input files, Snakemake, jobs, faults and verification."""
