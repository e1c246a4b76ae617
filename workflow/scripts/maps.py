"""Write p_ez, observability, leading plans and contacts as NIfTI."""

from virtualbrain.pipeline.job import run_job

with run_job(snakemake) as logger:
    from pathlib import Path

    from virtualbrain.export.nifti import write_nifti
    from virtualbrain.export.patient import load_patient

    label, priors = snakemake.wildcards.label, snakemake.wildcards.priors
    folder = Path(snakemake.output.maps)
    for note in write_nifti(load_patient(snakemake.params.out, label, priors), folder):
        logger.info("left out: %s", note)
