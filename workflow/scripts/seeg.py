"""Compute contacts, channels, envelopes and gain for the fit."""

from virtualbrain.pipeline.job import run_job

with run_job(snakemake):
    from virtualbrain.config import settings_from
    from virtualbrain.io.anatomy import read_anatomy
    from virtualbrain.io.file_settings import FileSettings
    from virtualbrain.io.layout import PatientLayout
    from virtualbrain.io.patient_search import find_patient
    from virtualbrain.io.provenance import sidecar
    from virtualbrain.io.seeg import write_seeg
    from virtualbrain.io.tables import read_table
    from virtualbrain.seeg.run import run_seeg
    from virtualbrain.seeg.settings import SeegSettings

    label, params = snakemake.wildcards.label, snakemake.params
    which = settings_from(params.file_settings, FileSettings, "files")
    files = find_patient(params.bids, label, which)
    settings = settings_from(params.settings, SeegSettings, "seeg")
    if files.connectome:
        layout = PatientLayout.of_results(params.out, label)
        regions = read_table(layout.connectome_regions)
    else:
        layout = PatientLayout.of_anatomy(params.out, label)
        regions = read_table(layout.regions)
    anatomy = read_anatomy(layout) if snakemake.input.anatomy else None
    seeg = run_seeg(
        files,
        regions,
        anatomy.labels if anatomy else None,
        anatomy.surfaces if anatomy else None,
        anatomy.brain_mask if anatomy else None,
        settings,
    )
    sources = [path.name for path in files.seeg_files()]
    write_seeg(layout, seeg, sidecar({"seeg": params.settings}, ["seeg"], sources))
