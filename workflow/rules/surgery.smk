rule surgery:
    """Simulate and rank surgical plans on posterior draws."""
    input:
        posterior=ANY.posterior("{priors}"),
        diagnostics=ANY.diagnostics("{priors}"),
        zones=ANY.zones("{priors}"),
        connectome=ANY.connectome,
        seeg=ANY.seeg,
        clinical=clinical_inputs,
    output:
        record=stage_record("surgery-{priors}"),
        outcomes=ANY.outcomes("{priors}"),
        recruitment=ANY.recruitment("{priors}"),
        stimulation=ANY.stimulation("{priors}"),
        next_regions=ANY.next_regions("{priors}"),
        explanations=ANY.explanations("{priors}"),
        predicted=ANY.predicted("{priors}"),
        subsets=ANY.subsets("{priors}"),
    log:
        ANY.log("surgery-{priors}"),
    benchmark:
        ANY.benchmark("surgery-{priors}")
    conda:
        "../../envs/python.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        bids=BIDS,
        out=OUT,
        file_settings=config["files"],
        settings=config["surgery"],
        seed=config["seed"],
    message:
        "sub-{wildcards.label}: virtual surgery, prior set {wildcards.priors} (about a minute)"
    script:
        "../scripts/surgery.py"
