"""Register the T1 to the diffusion series; place its tissues in diffusion space."""

from virtualbrain.pipeline.job import run_job, scratch

with run_job(snakemake):
    from pathlib import Path

    from virtualbrain.diffusion.alignment import AlignmentFiles, align_t1
    from virtualbrain.io.atomic import write_json
    from virtualbrain.io.layout import PatientLayout

    output = snakemake.output
    layout = PatientLayout.of_results(snakemake.params.out, snakemake.wildcards.label)
    with scratch(layout.work("dwi_alignment")) as workdir:
        files = AlignmentFiles(
            dwi=Path(snakemake.input.dwi),
            t1=layout.t1,
            t1_mask=layout.brain_mask,
            tissues=layout.tissues,
            fod=Path(snakemake.input.fod),
            t1_to_dwi=Path(output.transform),
            tissues_in_dwi=Path(output.tissues),
            workdir=workdir,
            picture=Path(output.picture),
        )
        write_json(output.quality, align_t1(files))
