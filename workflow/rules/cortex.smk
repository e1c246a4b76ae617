rule cortex:
    """Simulate the seizure on the patient's cortical surface."""
    input:
        anatomy=ANY.anatomy,
        seeg=ANY.seeg,
        connectome=ANY.connectome,
        posterior=ANY.posterior("{priors}"),
    output:
        record=stage_record("cortex-{priors}"),
        results=directory(ANY.cortex_run("{priors}", CORTEX_RUN)),
    log:
        ANY.log("cortex-{priors}"),
    benchmark:
        ANY.benchmark("cortex-{priors}")
    conda:
        "../../envs/python.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        out=OUT,
        settings=config["cortex"],
        seeg=config["seeg"],
        surgery=config["surgery"],
        seed=config["seed"],
    message:
        "sub-{wildcards.label}: seizure on the cortex, prior set {wildcards.priors} (minutes)"
    script:
        "../scripts/cortex.py"
