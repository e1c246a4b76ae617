"""Correct a patient's diffusion series."""

from virtualbrain.pipeline.environment import let_longer_stages_first
from virtualbrain.pipeline.job import cores_of, run_job, scratch

let_longer_stages_first()  # tracking waits for the anatomy
with run_job(snakemake):
    from dataclasses import replace
    from pathlib import Path

    from virtualbrain.config import settings_from
    from virtualbrain.diffusion.preprocess import preprocess_dwi
    from virtualbrain.diffusion.settings import DiffusionSettings
    from virtualbrain.io.atomic import write_json
    from virtualbrain.io.file_settings import FileSettings
    from virtualbrain.io.layout import PatientLayout
    from virtualbrain.io.patient_search import find_patient
    from virtualbrain.io.provenance import sidecar

    label, params, output = snakemake.wildcards.label, snakemake.params, snakemake.output
    which = settings_from(params.file_settings, FileSettings, "files")
    files = find_patient(params.bids, label, which)
    settings = settings_from(params.settings, DiffusionSettings, "diffusion")
    settings = replace(settings, seed=params.seed)
    with scratch(PatientLayout(params.out, label).work("dwi_preprocess")) as workdir:
        quality = preprocess_dwi(
            files.dwi,
            Path(output.dwi),
            workdir,
            settings,
            threads=cores_of(snakemake),
            epi=files.epi,
        )
    sources = [path.name for path in files.dwi_files()]
    about = sidecar({"diffusion": params.settings}, ["diffusion"], sources)
    write_json(output.quality, {**about, **quality})
