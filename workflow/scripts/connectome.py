"""Write a patient's connectome: from streamlines, or a ready one read in."""

from virtualbrain.pipeline.job import scratch, stage_of

with stage_of(snakemake):
    from dataclasses import replace
    from pathlib import Path

    from virtualbrain.config import settings_from
    from virtualbrain.diffusion.connectome import ConnectomeFiles, build_connectome
    from virtualbrain.diffusion.quality import connectome_quality, notes_on
    from virtualbrain.diffusion.settings import DiffusionSettings
    from virtualbrain.io.atomic import read_json, write_json
    from virtualbrain.io.bids import find_patient
    from virtualbrain.io.connectome import (
        read_given_connectome,
        read_ready_connectome,
        ready_atlas,
        write_connectome,
        write_edge_matrices,
    )
    from virtualbrain.io.layout import PatientLayout
    from virtualbrain.io.tables import read_table
    from virtualbrain.pipeline.job import sidecar

    label, params = snakemake.wildcards.label, snakemake.params
    files = find_patient(params.bids, label)
    about = sidecar(
        {"diffusion": params.settings, "seed": params.seed},
        ["diffusion", "seed"],
        [path.name for path in files.connectome_files() or files.dwi_files()],
    )
    settings = settings_from(params.settings, DiffusionSettings, "diffusion")
    settings = replace(settings, seed=params.seed)
    reference = read_given_connectome(Path(settings.reference)) if settings.reference else None
    if files.connectome:
        layout = PatientLayout(params.out, label, ready_atlas(files.connectome))
        connectome = read_ready_connectome(files.connectome)
        write_connectome(layout, connectome, about)
        quality = connectome_quality(connectome, reference=reference)
    else:
        layout = PatientLayout.of_results(params.out, label)
        with scratch(layout.work("connectome")) as workdir:
            built = build_connectome(
                ConnectomeFiles(
                    tracks=layout.tracks,
                    weights=layout.track_weights,
                    labels=layout.labels,
                    t1_to_dwi=layout.t1_to_dwi,
                    fod=layout.fod,
                    workdir=workdir,
                ),
                read_table(layout.regions),
                settings,
                snakemake.threads,
                reference,
            )
        write_connectome(layout, built.connectome, about)
        write_edge_matrices(
            layout,
            built.connectome.names,
            counts=built.counts,
            density=built.density,
            reliability=built.reliability,
            sidecar=about,
        )
        quality = {
            **read_json(layout.fod_quality),
            **read_json(layout.tracks_quality),
            **built.quality,
        }
    write_json(layout.connectome_quality, {**about, **quality, "notes": notes_on(quality)})
