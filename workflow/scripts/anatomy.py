"""Compute a patient's regions, tissues and surfaces."""

from virtualbrain.pipeline.job import cores_of, run_job

with run_job(snakemake):
    from virtualbrain.anatomy.run import run_anatomy
    from virtualbrain.anatomy.settings import AnatomySettings
    from virtualbrain.config import settings_from
    from virtualbrain.connectome import TEMPLATE_FRAME
    from virtualbrain.io.anatomy import write_anatomy
    from virtualbrain.io.file_settings import FileSettings
    from virtualbrain.io.layout import PatientLayout
    from virtualbrain.io.patient_search import find_patient
    from virtualbrain.io.provenance import sidecar

    label, params = snakemake.wildcards.label, snakemake.params
    which = settings_from(params.file_settings, FileSettings, "files")
    files = find_patient(params.bids, label, which)
    settings = settings_from(params.settings, AnatomySettings, "anatomy").of_patient(label)
    layout = PatientLayout(params.out, label, settings.atlas)
    anatomy = run_anatomy(
        settings,
        t1=files.t1,
        freesurfer=files.freesurfer,
        lesion=files.lesion,
        seed=params.seed,
        threads=cores_of(snakemake),
        subject=layout.freesurfer,
        template=files.uses_template,
    )
    sources = [path.name for path in files.anatomy_files()]
    about = sidecar({"anatomy": params.settings}, ["anatomy"], sources)
    if files.uses_template:
        about["Anatomy"] = f"template {TEMPLATE_FRAME}"
    write_anatomy(layout, anatomy, about)
