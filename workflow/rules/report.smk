rule provenance:
    """Write inputs, configuration, versions, seed and times of a patient's results."""
    input:
        checked=ANY.inputs,
        outcomes=per_prior_set("outcomes"),
    output:
        record=stage_record("provenance"),
        provenance=ANY.provenance,
        crate=ANY.crate,
        workflow=directory(ANY.workflow),
    log:
        ANY.log("provenance"),
    benchmark:
        ANY.benchmark("provenance")
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        bids=BIDS,
        out=OUT,
        priors=PRIORS,
        config=config,
        workflow=ROOT / "workflow",
    message:
        "sub-{wildcards.label}: writing the provenance"
    script:
        "../scripts/provenance.py"


rule maps:
    """Write p_ez, observability, leading plans and contacts as NIfTI."""
    input:
        anatomy=ANY.anatomy,
        seeg=ANY.seeg,
        diagnostics=ANY.diagnostics("{priors}"),
        zones=ANY.zones("{priors}"),
        outcomes=ANY.outcomes("{priors}"),
    output:
        record=stage_record("maps-{priors}"),
        maps=directory(ANY.maps("{priors}")),
    log:
        ANY.log("maps-{priors}"),
    benchmark:
        ANY.benchmark("maps-{priors}")
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=15,
    params:
        out=OUT,
    message:
        "sub-{wildcards.label}: writing maps as NIfTI, prior set {wildcards.priors} (under a minute)"
    script:
        "../scripts/maps.py"


rule report:
    """Write the report of one patient."""
    input:
        provenance=ANY.provenance,
        anatomy=anatomy_result,
        diffusion=quality_of_diffusion,
        connectome=ANY.connectome,
        seeg=ANY.seeg,
        responses=responses,
        posteriors=per_prior_set("posterior"),
        diagnostics=per_prior_set("diagnostics"),
        zones=per_prior_set("zones"),
        outcomes=per_prior_set("outcomes"),
        recruitment=per_prior_set("recruitment"),
        ablations=ablations,
        cortex=cortex_runs,
        subsets=per_prior_set("subsets"),
        clinical=clinical_inputs,
    output:
        record=stage_record("report"),
        report=ANY.report,
    log:
        ANY.log("report"),
    benchmark:
        ANY.benchmark("report")
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=15,
    params:
        bids=BIDS,
        out=OUT,
        file_settings=config["files"],
        priors=list(PRIORS),
    message:
        "sub-{wildcards.label}: writing the report (under a minute)"
    script:
        "../scripts/report.py"


rule cohort:
    """Write the report on all patients and their table."""
    input:
        reports=reports(),
        outcomes=outcome_classes(),
    output:
        record=record_path(OUT, owner_of(None), "cohort"),
        page=COHORT,
        table=cohort_table(OUT),
    log:
        OUT / "logs" / "cohort.log",
    benchmark:
        OUT / "benchmarks" / "cohort.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        bids=BIDS,
        out=OUT,
        labels=list(LABELS),
        priors=list(PRIORS),
    message:
        "writing cohort.html and cohort.tsv"
    script:
        "../scripts/cohort.py"
