rule dwi_preprocess:
    """Denoise the diffusion series, remove ringing, correct motion."""
    input:
        checked=ancient(ANY.inputs),
        files=dwi_inputs,
    output:
        record=stage_record("dwi_preprocess"),
        dwi=ANY.dwi,
        quality=ANY.dwi_quality,
    log:
        ANY.log("dwi_preprocess"),
    benchmark:
        ANY.benchmark("dwi_preprocess")
    conda:
        "../../envs/mrtrix3.yaml"
    threads: 1  # beside anatomy, see `pipeline.job.cores_of`
    resources:
        cpus_per_task=2,
        mem_mb=6000,
        runtime=120,
    params:
        bids=BIDS,
        out=OUT,
        file_settings=config["files"],
        settings=config["diffusion"],
        seed=config["seed"],
    message:
        "sub-{wildcards.label}: diffusion: denoising and motion correction (1-10 minutes)"
    script:
        "../scripts/dwi_preprocess.py"


rule dwi_fod:
    """Estimate fibre orientations."""
    input:
        dwi=ANY.dwi,
    output:
        record=stage_record("dwi_fod"),
        fod=ANY.fod,
        quality=ANY.fod_quality,
    log:
        ANY.log("dwi_fod"),
    benchmark:
        ANY.benchmark("dwi_fod")
    conda:
        "../../envs/mrtrix3.yaml"
    threads: 1  # beside anatomy, see `pipeline.job.cores_of`
    resources:
        cpus_per_task=2,
        mem_mb=4000,
        runtime=60,
    params:
        out=OUT,
        settings=config["diffusion"],
        seed=config["seed"],
    message:
        "sub-{wildcards.label}: diffusion: fibre orientations (1-3 minutes)"
    script:
        "../scripts/dwi_fod.py"


rule dwi_alignment:
    """Register the T1 to the diffusion series; transform its tissues to diffusion space."""
    input:
        dwi=ANY.dwi,
        fod=ANY.fod,
        anatomy=ANY.anatomy,
    output:
        record=stage_record("dwi_alignment"),
        tissues=ANY.tissues_in_dwi,
        transform=ANY.t1_to_dwi,
        picture=ANY.alignment_picture,
        quality=ANY.alignment_quality,
    log:
        ANY.log("dwi_alignment"),
    benchmark:
        ANY.benchmark("dwi_alignment")
    conda:
        "../../envs/mrtrix3.yaml"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        out=OUT,
        settings=config["diffusion"],
        seed=config["seed"],
    message:
        "sub-{wildcards.label}: diffusion: registering the T1 (under a minute)"
    script:
        "../scripts/dwi_alignment.py"


rule dwi_tracks:
    """Track streamlines and compute their SIFT2 weights."""
    input:
        fod=ANY.fod,
        tissues=ANY.tissues_in_dwi,
        transform=ANY.t1_to_dwi,
        anatomy=ANY.anatomy,
    output:
        record=stage_record("dwi_tracks"),
        tracks=ANY.tracks if config["keep_streamlines"] else temp(ANY.tracks),
        weights=ANY.track_weights,
        quality=ANY.tracks_quality,
    log:
        ANY.log("dwi_tracks"),
    benchmark:
        ANY.benchmark("dwi_tracks")
    conda:
        "../../envs/mrtrix3.yaml"
    threads: 2
    resources:
        mem_mb=8000,
        runtime=360,
    params:
        out=OUT,
        settings=config["diffusion"],
        seed=config["seed"],
    message:
        "sub-{wildcards.label}: diffusion: tracking streamlines (2-60 minutes)"
    script:
        "../scripts/dwi_tracks.py"
