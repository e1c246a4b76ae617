"""Fit the epileptogenic zone; write posterior, zones and diagnostics."""

from virtualbrain.pipeline.job import run_job

with run_job(snakemake) as logger:
    from dataclasses import replace

    import inference
    from virtualbrain.config import settings_from
    from virtualbrain.connectome import TEMPLATE_FRAME
    from virtualbrain.io.atomic import write_json
    from virtualbrain.io.clinical import hypothesis_regions
    from virtualbrain.io.connectome import origin_of, read_connectome
    from virtualbrain.io.evoked import read_pairs
    from virtualbrain.io.file_settings import FileSettings
    from virtualbrain.io.layout import PatientLayout
    from virtualbrain.io.patient_search import find_patient
    from virtualbrain.io.provenance import sidecar
    from virtualbrain.io.seeg import read_envelopes, read_gain, read_signals
    from virtualbrain.io.tables import write_table

    label, params, output = snakemake.wildcards.label, snakemake.params, snakemake.output
    which = settings_from(params.file_settings, FileSettings, "files")
    layout = PatientLayout.of_results(params.out, label)
    connectome = read_connectome(layout)
    settings = replace(
        settings_from(params.settings, inference.Settings, "inference"),
        seed=params.seed,
        cores=snakemake.threads,
    )
    pairs = read_pairs(layout) if snakemake.input.responses else None
    changed = inference.with_evoked_responses(connectome.weights, connectome.names, pairs)
    result = inference.run_inference(
        read_envelopes(layout),
        read_gain(layout.gain),
        changed.weights,
        connectome.names,
        hypothesis_regions(find_patient(params.bids, label, which), layout),
        priors=snakemake.input.priors,
        settings=settings,
        progress=lambda step, fraction: logger.info("%s: %.0f %%", step, 100 * fraction),
        group_connectome=connectome.group,
        template_anatomy=connectome.frame == TEMPLATE_FRAME,
        signals=read_signals(layout),
    )
    about = sidecar(
        {"inference": params.settings, "seed": params.seed},
        ["inference", "seed"],
        [layout.gain.name, layout.relmat("streamlines").name],
    )
    about |= changed.about()
    inference.save(result.posterior, output.posterior)
    write_json(output.diagnostics, result.diagnostics)
    write_table(output.zones, result.zones, about | origin_of(connectome))
