"""Check a patient's input files and write their checksums."""

from virtualbrain.config import settings_from
from virtualbrain.io.atomic import write_json
from virtualbrain.io.file_settings import FileSettings
from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.provenance import input_checksums
from virtualbrain.pipeline.check import check_patient
from virtualbrain.pipeline.job import run_job

with run_job(snakemake) as logger:
    label = snakemake.wildcards.label
    problems = check_patient(snakemake.params.bids, label, snakemake.params.config)
    for problem in problems[1:]:
        logger.error("%s", problem)
    if problems:
        raise problems[0]
    settings = settings_from(snakemake.params.config["files"], FileSettings, "files")
    files = find_patient(snakemake.params.bids, label, settings)
    write_json(snakemake.output.inputs, {"files": input_checksums(files)})
