rule seeg:
    """Compute contacts, channels, seizure envelopes and gain from the recording."""
    input:
        checked=ANY.inputs,
        files=seeg_inputs,
        anatomy=anatomy_result,
        connectome=ready_connectome,
    output:
        record=stage_record("seeg"),
        seeg=directory(ANY.seeg),
    log:
        ANY.log("seeg"),
    benchmark:
        ANY.benchmark("seeg")
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
        "sub-{wildcards.label}: SEEG: contacts, envelopes and gain (under a minute)"
    script:
        "../scripts/seeg.py"
