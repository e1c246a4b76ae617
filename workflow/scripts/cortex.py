"""Simulate the seizure on the patient's cortical surface."""

from virtualbrain.pipeline.job import run_job

with run_job(snakemake) as logger:
    from inference.posterior import load
    from virtualbrain.cortex.settings import WORKFLOW_NAME
    from virtualbrain.io.layout import PatientLayout
    from virtualbrain.pipeline.cortex import CortexRequest, simulate_patient

    params = snakemake.params
    layout = PatientLayout.of_results(params.out, snakemake.wildcards.label)
    config = {
        "cortex": params.settings,
        "seeg": params.seeg,
        "surgery": params.surgery,
        "seed": params.seed,
    }

    def step(name):
        """Write the name of a part to the log."""
        logger.info("%s", name)
        return lambda _: None

    request = CortexRequest(priors=snakemake.wildcards.priors, name=WORKFLOW_NAME)
    simulate_patient(layout, load(snakemake.input.posterior), request, config, step)
