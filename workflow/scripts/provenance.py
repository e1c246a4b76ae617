"""Write the provenance of a patient's results, and their RO-Crate metadata."""

from virtualbrain.pipeline.job import run_job

with run_job(snakemake):
    from pathlib import Path

    from virtualbrain.io.atomic import write_json, write_text
    from virtualbrain.io.crate import build_crate
    from virtualbrain.io.layout import PatientLayout
    from virtualbrain.io.provenance import build_provenance
    from virtualbrain.pipeline.verification import require_current

    params, output = snakemake.params, snakemake.output
    layout = PatientLayout(params.out, snakemake.wildcards.label)
    require_current(layout, Path(params.bids), params.config, params.priors)
    source, copy = Path(params.workflow), Path(output.workflow)
    for path in [source / "Snakefile", *sorted(source.glob("rules/*.smk"))]:
        write_text(copy / path.relative_to(source), path.read_text("utf-8"))
    write_json(output.provenance, build_provenance(layout, params.config, params.priors))
    write_json(output.crate, build_crate(layout, copy / "Snakefile"))
