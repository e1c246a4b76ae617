"""Write a patient's connectome: from streamlines, from a ready one, or from that of a group."""

from virtualbrain.pipeline.job import run_job, scratch

with run_job(snakemake):
    from dataclasses import replace
    from pathlib import Path

    from virtualbrain.config import settings_from
    from virtualbrain.connectome import PATIENT_FRAME, TEMPLATE_FRAME
    from virtualbrain.diffusion.connectome import ConnectomeFiles, build_connectome
    from virtualbrain.diffusion.group_connectome import group_of_patient, load_group
    from virtualbrain.diffusion.quality import connectome_quality, notes_on
    from virtualbrain.diffusion.settings import DiffusionSettings
    from virtualbrain.io.atomic import read_json, write_json
    from virtualbrain.io.connectome import (
        origin_of,
        read_given_connectome,
        read_ready_connectome,
        ready_atlas,
        write_connectome,
        write_edge_matrices,
    )
    from virtualbrain.io.file_settings import FileSettings
    from virtualbrain.io.layout import PatientLayout
    from virtualbrain.io.patient_search import find_patient
    from virtualbrain.io.provenance import sidecar
    from virtualbrain.io.tables import read_table

    label, params = snakemake.wildcards.label, snakemake.params
    which = settings_from(params.file_settings, FileSettings, "files")
    files = find_patient(params.bids, label, which)
    about = sidecar(
        {"diffusion": params.settings, "seed": params.seed},
        ["diffusion", "seed"],
        [path.name for path in files.connectome_files() or files.dwi_files()],
    )
    settings = settings_from(params.settings, DiffusionSettings, "diffusion")
    settings = replace(settings, seed=params.seed)
    reference = read_given_connectome(Path(settings.reference)) if settings.reference else None
    if files.connectome:
        layout = PatientLayout(params.out, label, ready_atlas(files.connectome, files.atlas))
        connectome = read_ready_connectome(files.connectome, files.atlas)
        write_connectome(layout, connectome, about)
        quality = connectome_quality(connectome, reference=reference)
    elif files.uses_group:
        layout = PatientLayout.of_results(params.out, label)
        frame = TEMPLATE_FRAME if files.uses_template else PATIENT_FRAME
        connectome = group_of_patient(load_group(settings), read_table(layout.regions), frame)
        write_connectome(layout, connectome, about)
        quality = {
            **origin_of(connectome),
            **connectome_quality(connectome, reference=reference),
        }
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
                reference,
            )
        write_connectome(layout, built.connectome, about)
        matrices = {
            "count": built.counts,
            "density": built.density,
            "reliability": built.reliability,
        }
        write_edge_matrices(layout, built.connectome.names, matrices, about)
        quality = {
            **read_json(layout.fod_quality),
            **read_json(layout.alignment_quality),
            **read_json(layout.tracks_quality),
            **built.quality,
        }
    write_json(layout.connectome_quality, {**about, **quality, "notes": notes_on(quality)})
