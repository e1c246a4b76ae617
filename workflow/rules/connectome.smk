rule connectome:
    """Compute the connectome from streamlines, or read a ready one or that of a group."""
    input:
        checked=ancient(ANY.inputs),
        sources=connectome_sources,
    output:
        record=stage_record("connectome"),
        connectome=directory(ANY.connectome),
    log:
        ANY.log("connectome"),
    benchmark:
        ANY.benchmark("connectome")
    conda:
        "../../envs/mrtrix3.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        bids=BIDS,
        out=OUT,
        file_settings=config["files"],
        atlas=config["anatomy"]["atlas"],
        settings=config["diffusion"],
        seed=config["seed"],
    message:
        "sub-{wildcards.label}: connectome (under a minute)"
    script:
        "../scripts/connectome.py"
