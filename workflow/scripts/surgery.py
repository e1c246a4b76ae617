"""Simulate and rank surgical plans on posterior draws."""

from virtualbrain.pipeline.job import run_job

with run_job(snakemake):
    import numpy as np

    from inference.posterior import load
    from virtualbrain.config import settings_from
    from virtualbrain.io.atomic import read_json, write_json
    from virtualbrain.io.clinical import eloquent_regions, hypothesis_regions
    from virtualbrain.io.connectome import origin_of, read_connectome
    from virtualbrain.io.file_settings import FileSettings
    from virtualbrain.io.layout import PatientLayout
    from virtualbrain.io.patient_search import find_patient
    from virtualbrain.io.provenance import sidecar
    from virtualbrain.io.tables import read_matrix, read_table, write_table
    from virtualbrain.surgery.clinical_plans import clinical_plans
    from virtualbrain.surgery.run import Patient, run_surgery
    from virtualbrain.surgery.settings import SurgerySettings

    label, priors, params = snakemake.wildcards.label, snakemake.wildcards.priors, snakemake.params
    which = settings_from(params.file_settings, FileSettings, "files")
    layout = PatientLayout.of_results(params.out, label)
    files = find_patient(params.bids, label, which)
    hypothesis = hypothesis_regions(files, layout)
    connectome = read_connectome(layout)
    clinic = clinical_plans(files, layout, connectome)
    verdict = read_json(snakemake.input.diagnostics)["verdict"]
    patient = Patient(
        zones=read_table(snakemake.input.zones, required=["region"]),
        regions=connectome.regions,
        hypothesis=tuple(hypothesis.query("zone == 'EZ'")["region"])
        if hypothesis is not None
        else (),
        eloquent=eloquent_regions(files, layout),
        plans=clinic.plans,
        pairs=clinic.pairs,
        done=clinic.done,
        gain=read_matrix(layout.gain) if clinic.pairs else None,
        verdict=verdict,
    )
    surgery = run_surgery(
        load(snakemake.input.posterior),
        patient,
        settings_from(params.settings, SurgerySettings, "surgery"),
        np.random.default_rng(params.seed),
    )
    about = sidecar(
        {"surgery": params.settings, "seed": params.seed}, ["surgery", "seed"], ["posterior.nc"]
    )
    about |= {"Verdict": verdict, "n_draws": params.settings["draws"], **surgery.about()}
    about |= origin_of(connectome)
    write_table(snakemake.output.recruitment, surgery.recruitment, about)
    write_table(snakemake.output.next_regions, surgery.next_regions, about)
    write_table(snakemake.output.stimulation, surgery.stimulation, about)
    write_table(
        snakemake.output.explanations,
        surgery.explanations.table,
        about | surgery.explanations.about(),
    )
    write_table(snakemake.output.subsets, surgery.subsets, about)
    write_json(snakemake.output.predicted, {**about, "Predicted": surgery.predicted})
    write_table(snakemake.output.outcomes, surgery.outcomes, about)
