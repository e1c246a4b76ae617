"""Write what a patient's results were made from and with."""

from virtualbrain.io.atomic import write_json
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.provenance import build_provenance
from virtualbrain.stage import stage

with stage(snakemake.log[0]):
    layout = PatientLayout(snakemake.params.out, snakemake.wildcards.label)
    content = build_provenance(layout, snakemake.params.config, snakemake.params.priors)
    write_json(snakemake.output[0], content)
