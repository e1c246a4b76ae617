"""Estimate fibre orientations."""

from virtualbrain.pipeline.environment import let_longer_stages_first
from virtualbrain.pipeline.job import cores_of, run_job, scratch

let_longer_stages_first()  # tracking waits for the anatomy
with run_job(snakemake):
    from pathlib import Path

    from virtualbrain.config import settings_from
    from virtualbrain.diffusion.fod import estimate_fod
    from virtualbrain.diffusion.settings import DiffusionSettings
    from virtualbrain.io.atomic import write_json
    from virtualbrain.io.layout import PatientLayout

    output = snakemake.output
    settings = settings_from(snakemake.params.settings, DiffusionSettings, "diffusion")
    layout = PatientLayout.of_results(snakemake.params.out, snakemake.wildcards.label)
    with scratch(layout.work("dwi_fod")) as workdir:
        quality = estimate_fod(
            Path(snakemake.input.dwi),
            Path(output.fod),
            workdir,
            cores_of(snakemake),
            settings.fod_order,
        )
    write_json(output.quality, quality)
