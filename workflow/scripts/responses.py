"""Compute the evoked responses of a patient with single-pulse stimulation."""

from virtualbrain.pipeline.job import run_job

with run_job(snakemake) as logger:
    from virtualbrain.config import settings_from
    from virtualbrain.errors import InputError
    from virtualbrain.io.evoked import write_evoked, write_no_responses
    from virtualbrain.io.file_settings import FileSettings
    from virtualbrain.io.layout import PatientLayout
    from virtualbrain.io.patient_search import find_patient
    from virtualbrain.io.provenance import sidecar
    from virtualbrain.seeg.settings import SeegSettings
    from virtualbrain.stimulation.run import run_responses

    label, params = snakemake.wildcards.label, snakemake.params
    which = settings_from(params.file_settings, FileSettings, "files")
    files = find_patient(params.bids, label, which)
    layout = PatientLayout.of_results(params.out, label)
    settings = settings_from(params.settings, SeegSettings, "seeg")
    config = {"seeg": params.settings, "seed": params.seed}
    about = sidecar(config, ("seed", "seeg"), [path.name for path in files.seeg_files()])
    try:
        found = run_responses(files, layout, settings, params.seed)
    except InputError as problem:  # the fit does not need stimulation
        logger.warning("evoked responses left out: %s", problem)
        write_no_responses(layout, str(problem), about)
    else:
        write_evoked(layout, found.tables(), {**about, **found.about})
