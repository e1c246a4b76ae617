"""Summarise the scores of all synthetic patients."""

from virtualbrain.pipeline.job import run_logged

with run_logged(snakemake.log[0], snakemake.threads):
    import pandas as pd

    from inference.settings import Settings
    from inference.validate import PatientScores, ValidationCohort, conclude
    from inference.validate_degeneracy import DegeneracyScorer
    from inference.validate_surgery import SurgeryScorer
    from virtualbrain.config import settings_from
    from virtualbrain.io.atomic import read_json

    params = snakemake.params
    cohort = ValidationCohort(params.seed, params.scenario)
    found = [read_json(path) for path in snakemake.input]
    if params.surgery is not None:
        tables = [pd.DataFrame(content["surgery"]) for content in found]
        SurgeryScorer(cohort, params.out, scores=tables).write()
    if params.explanations is not None:
        lists = DegeneracyScorer(cohort, params.out)
        for content in found:
            lists.add_json(content["degeneracy"])
        lists.write()
    settings = settings_from(params.settings, Settings, "inference")
    conclude([PatientScores.from_json(content) for content in found], cohort, settings, params.out)
