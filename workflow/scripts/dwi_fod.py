"""Estimate fibre orientations; register the T1 to the diffusion series."""

from virtualbrain.pipeline.job import run_job, scratch

if __name__ == "__main__":  # worker processes of the registration import this file
    with run_job(snakemake):
        from pathlib import Path

        from virtualbrain.diffusion.fod import FodFiles, estimate_fod
        from virtualbrain.io.atomic import write_json
        from virtualbrain.io.layout import PatientLayout

        output = snakemake.output
        layout = PatientLayout.of_results(snakemake.params.out, snakemake.wildcards.label)
        with scratch(layout.work("dwi_fod")) as workdir:
            files = FodFiles(
                dwi=Path(snakemake.input.dwi),
                t1=layout.t1,
                t1_mask=layout.brain_mask,
                tissues=layout.tissues,
                fod=Path(output.fod),
                t1_to_dwi=Path(output.transform),
                tissues_in_dwi=Path(output.tissues),
                workdir=workdir,
                picture=Path(output.picture),
            )
            write_json(output.quality, estimate_fod(files, snakemake.threads))
