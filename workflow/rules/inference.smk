rule inference:
    """Fit the epileptogenic zone to the recorded seizures (Bayesian inference)."""
    input:
        seeg=ANY.seeg,
        connectome=ANY.connectome,
        responses=fit_responses,
        clinical=clinical_inputs,
        priors=prior_file,
    output:
        record=stage_record("inference-{priors}"),
        posterior=ANY.posterior("{priors}"),
        diagnostics=ANY.diagnostics("{priors}"),
        zones=ANY.zones("{priors}"),
    log:
        ANY.log("inference-{priors}"),
    benchmark:
        ANY.benchmark("inference-{priors}")
    conda:
        "../../envs/python.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        bids=BIDS,
        out=OUT,
        file_settings=config["files"],
        settings=config["inference"],
        seed=config["seed"],
    message:
        "sub-{wildcards.label}: fitting the epileptogenic zone, prior set {wildcards.priors} (2-10 minutes)"
    script:
        "../scripts/inference.py"
