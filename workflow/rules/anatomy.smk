rule anatomy:
    """Compute regions, tissues and surfaces from the T1 or a FreeSurfer subject."""
    input:
        checked=ancient(ANY.inputs),
        files=anatomy_inputs,
    output:
        record=stage_record("anatomy"),
        anatomy=directory(ANY.anatomy),
    log:
        ANY.log("anatomy"),
    benchmark:
        ANY.benchmark("anatomy")
    conda:
        "../../envs/python.yaml"
    threads: 1  # beside dwi_preprocess, see `pipeline.job.cores_of`
    resources:
        cpus_per_task=2,
        mem_mb=8000,
        runtime=60 if config["anatomy"]["reconstruct"] == "none" else 1440,
    params:
        bids=BIDS,
        out=OUT,
        file_settings=config["files"],
        settings=config["anatomy"],
        seed=config["seed"],
    message:
        "sub-{wildcards.label}: anatomy: regions, tissues and surfaces (2-5 minutes)"
    script:
        "../scripts/anatomy.py"
