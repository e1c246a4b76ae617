rule responses:
    """Compute the responses to single pulses, and their complexity, of a patient with stimulation."""
    input:
        checked=ANY.inputs,
        files=seeg_inputs,
        seeg=ANY.seeg,
    output:
        record=stage_record("responses"),
        responses=directory(ANY.evoked_responses),
    log:
        ANY.log("responses"),
    benchmark:
        ANY.benchmark("responses")
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        bids=BIDS,
        out=OUT,
        file_settings=config["files"],
        settings=config["seeg"],
        seed=config["seed"],
    message:
        "sub-{wildcards.label}: evoked responses of stimulation (under a minute)"
    script:
        "../scripts/responses.py"
