"""Score the fit of one synthetic patient; the truth is used after all further fits and plans."""

from virtualbrain.pipeline.job import run_logged

with run_logged(snakemake.log[0], snakemake.threads):
    from dataclasses import replace

    from inference.posterior import load
    from inference.priors import load_priors
    from inference.settings import Settings
    from inference.validate import ValidationCohort, judge, score_patient
    from inference.validate_degeneracy import AblationFits, DegeneracyScorer
    from inference.validate_surgery import SurgeryScorer
    from virtualbrain.config import settings_from
    from virtualbrain.io.atomic import write_json
    from virtualbrain.surgery.settings import SurgerySettings

    params, number = snakemake.params, int(snakemake.wildcards.number) - 1
    cohort = ValidationCohort(params.seed, params.scenario)
    posterior = load(snakemake.input[0])
    ranked, verdict = judge(posterior)
    content = {}
    if params.surgery is not None:
        plans = settings_from(params.surgery, SurgerySettings, "surgery")
        scorer = SurgeryScorer(cohort, settings=plans)
        scorer(number, posterior, ranked, verdict)
        content["surgery"] = scorer.table.to_dict("list")
    if params.explanations is not None:
        fits = None
        if params.ablation is not None:
            settings = settings_from(params.ablation, Settings, "inference")
            own = replace(settings, cores=snakemake.threads)
            fits = AblationFits(load_priors(snakemake.input[1]), own)
        plans = settings_from(params.explanations, SurgerySettings, "surgery")
        lists = DegeneracyScorer(cohort, settings=plans, ablation=fits)
        lists(number, posterior, ranked, verdict)
        content["degeneracy"] = lists.as_json()
    scores = score_patient(number, cohort.draw(number), ranked, verdict)
    write_json(snakemake.output[0], scores.as_json() | content)
