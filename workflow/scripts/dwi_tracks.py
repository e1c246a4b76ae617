"""Track streamlines and compute their weights."""

from virtualbrain.pipeline.job import run_job, scratch

with run_job(snakemake):
    from dataclasses import replace
    from functools import partial
    from pathlib import Path

    from virtualbrain.config import settings_from
    from virtualbrain.diffusion.region_ends import counts_between, write_regions_in_dwi
    from virtualbrain.diffusion.settings import DiffusionSettings
    from virtualbrain.diffusion.tracks import TrackFiles, generate_tracks
    from virtualbrain.io.atomic import write_json
    from virtualbrain.io.layout import PatientLayout
    from virtualbrain.io.tables import read_table

    params, output = snakemake.params, snakemake.output
    layout = PatientLayout.of_anatomy(params.out, snakemake.wildcards.label)
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
        regions = read_table(layout.regions)
        counts_of = partial(
            counts_between,
            nodes=write_regions_in_dwi(layout.labels, layout.t1_to_dwi, regions, workdir),
            n_regions=len(regions),
            search_radius_mm=settings.search_radius_mm,
            workdir=workdir,
        )
        quality = generate_tracks(files, settings, snakemake.threads, counts_of)
        write_json(output.quality, quality)
