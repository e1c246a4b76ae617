"""Fit one synthetic patient; the fit gets only what a clinic has of it."""

from virtualbrain.pipeline.job import run_logged

with run_logged(snakemake.log[0], snakemake.threads):
    from dataclasses import replace

    from inference.posterior import save
    from inference.settings import Settings
    from inference.validate import ValidationCohort, fit_patient, problem_of
    from virtualbrain.config import settings_from

    params, number = snakemake.params, int(snakemake.wildcards.number) - 1
    settings = replace(
        settings_from(params.settings, Settings, "inference"), cores=snakemake.threads
    )
    cohort = ValidationCohort(params.seed, params.scenario)
    problem = problem_of(cohort.draw(number))
    posterior = fit_patient(problem, params.seed, number, settings, snakemake.input[0])
    save(posterior, snakemake.output[0])
