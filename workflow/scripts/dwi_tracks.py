"""Track streamlines and compute their weights."""

from virtualbrain.pipeline.job import run_job, scratch

with run_job(snakemake):
    from dataclasses import replace
    from pathlib import Path

    from virtualbrain.config import settings_from
    from virtualbrain.diffusion.settings import DiffusionSettings
    from virtualbrain.diffusion.tracks import TrackFiles, generate_tracks
    from virtualbrain.io.atomic import write_json
    from virtualbrain.io.layout import PatientLayout

    params, output = snakemake.params, snakemake.output
    layout = PatientLayout(params.out, snakemake.wildcards.label)
    settings = settings_from(params.settings, DiffusionSettings, "diffusion")
    settings = replace(settings, seed=params.seed)
    with scratch(layout.work("dwi_tracks")) as workdir:
        files = TrackFiles(
            fod=Path(snakemake.input.fod),
            tissues=Path(snakemake.input.tissues),
            tracks=Path(output.tracks),
            weights=Path(output.weights),
            workdir=workdir,
        )
        write_json(output.quality, generate_tracks(files, settings, snakemake.threads))
