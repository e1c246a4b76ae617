rule check:
    """Check the input files before the long stages start."""
    input:
        patient_files,
    output:
        record=stage_record("check"),
        inputs=ANY.inputs,
    log:
        ANY.log("check"),
    benchmark:
        ANY.benchmark("check")
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        bids=BIDS,
        out=OUT,
        config=checked_part(config),
        checked=checked_settings(config),
    message:
        "sub-{wildcards.label}: checking the input files"
    script:
        "../scripts/check.py"
