"""Fit one virtual patient; of the patient only what a clinic has is handed on."""

from virtualbrain.pipeline.job import stage

with stage(snakemake.log[0], snakemake.threads):
    from dataclasses import replace

    from inference.posterior import save
    from inference.settings import Settings
    from inference.validate import draw, fit_patient
    from virtualbrain.config import settings_from

    params, number = snakemake.params, int(snakemake.wildcards.number) - 1
    settings = replace(
        settings_from(params.settings, Settings, "inference"), cores=snakemake.threads
    )
    problem = draw(params.seed, number).problem
    posterior = fit_patient(problem, params.seed, number, settings, snakemake.input[0])
    save(posterior, snakemake.output[0])
