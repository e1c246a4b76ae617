"""Simulate and rank surgical plans over the posterior."""

from virtualbrain.stage import stage_of

with stage_of(snakemake):
    import numpy as np

    import inference
    from virtualbrain.config import settings_from
    from virtualbrain.io.atomic import read_json
    from virtualbrain.io.bids import find_patient
    from virtualbrain.io.clinical import eloquent_regions, hypothesis_regions
    from virtualbrain.io.connectome import read_connectome
    from virtualbrain.io.layout import PatientLayout
    from virtualbrain.io.tables import read_table, write_table
    from virtualbrain.stage import sidecar
    from virtualbrain.surgery.run import Patient, run_surgery
    from virtualbrain.surgery.settings import SurgerySettings

    label, params = snakemake.wildcards.label, snakemake.params
    layout = PatientLayout.of_results(params.out, label)
    files = find_patient(params.bids, label)
    hypothesis = hypothesis_regions(files, layout)
    patient = Patient(
        zones=read_table(snakemake.input.zones, required=["region"]),
        regions=read_connectome(layout).regions,
        hypothesis=tuple(hypothesis.query("zone == 'EZ'")["region"])
        if hypothesis is not None
        else (),
        eloquent=eloquent_regions(files, layout),
    )
    surgery = run_surgery(
        inference.load(snakemake.input.posterior),
        patient,
        settings_from(params.settings, SurgerySettings, "surgery"),
        np.random.default_rng(params.seed),
    )
    about = sidecar(
        {"surgery": params.settings, "seed": params.seed}, ["surgery", "seed"], ["posterior.nc"]
    )
    verdict = read_json(snakemake.input.diagnostics)["verdict"]
    about |= {"Verdict": verdict, "n_draws": params.settings["draws"]}
    write_table(snakemake.output.recruitment, surgery.recruitment, about)
    write_table(snakemake.output.outcomes, surgery.outcomes, about)
