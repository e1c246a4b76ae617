"""Command `degeneracy`: what the recording fixes, and which part of it carries the answer."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from virtualbrain.commands.bands import bands_of
from virtualbrain.commands.console import err_console, say
from virtualbrain.commands.identifiability import identify
from virtualbrain.commands.next_data import avoided, check_avoided, next_data, summary
from virtualbrain.commands.other_connectomes import (
    Asked,
    asked_connectomes,
    other_connectomes,
    persons_of,
)
from virtualbrain.commands.participants import labels_with_results
from virtualbrain.config import load_config, settings_from
from virtualbrain.errors import InputError
from virtualbrain.io.bids import check_label
from virtualbrain.io.layout import PatientLayout
from virtualbrain.pipeline.prior_files import chosen_priors

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from inference.onsets.fit import OnsetSample
    from inference.priors import Priors
    from inference.problem import Problem
    from inference.settings import Settings
    from virtualbrain.seeg.components import Signals


def degeneracy(options: argparse.Namespace) -> int:
    """Fit subsets of each patient's data, and write how the answer depends on them."""
    from inference.priors import load_priors

    config = load_config(options.config)
    ((name, file),) = chosen_priors([options.priors]).items()
    priors = load_priors(file)
    labels = [check_label(o) for o in options.participant_label or labels_with_results(options.out)]
    layouts = [PatientLayout.of_results(options.out, label) for label in labels]
    for layout in layouts:
        _require_onsets(layout, name)
    asked = asked_connectomes(options)
    run = _everything if asked is None else partial(_with_other_connectomes, asked)
    run(layouts, name, priors, options, config)
    say("run `virtualbrain run` again to show this in the reports")
    return 0


def _everything(
    layouts: Sequence[PatientLayout], name: str, priors: "Priors", options: argparse.Namespace,
    config: dict[str, Any],
) -> None:  # fmt: skip
    """Write what the recording fixes, what carries the answer and what new data would add."""
    avoid = avoided(options)
    for layout in layouts:
        check_avoided(layout, avoid)
    problems = [_fitted_problem(layout, name, config) for layout in layouts]
    bands = _bands(layouts, problems, options, config)
    for layout, problem in zip(layouts, problems, strict=True):
        sample = _sampled(problem, priors, config)
        for sentence in identify(layout, name, sample, config):
            say(f"sub-{layout.label}: {sentence}")
        say(f"sub-{layout.label}: wrote {layout.identifiability(name)}")
        table = _ablated(layout, problem, sample, priors, config, bands[layout.label])
        _write(layout, name, table, config)
        say(f"sub-{layout.label}: {_summary(table)}; wrote {layout.ablation(name)}")
        ranked = next_data(layout, name, sample, config, avoid)
        say(f"sub-{layout.label}: {summary(ranked)}; wrote {layout.next_data(name)}")


def _bands(
    layouts: Sequence[PatientLayout], problems: "Sequence[Problem]", options: argparse.Namespace,
    config: dict[str, Any],
) -> "dict[str, dict[str, Problem]]":  # fmt: skip
    """Return the problems of single frequency bands of each patient, where recordings are given."""
    if options.bids is None:
        say("frequency bands are not compared: that needs the recordings (--bids)")
        return {layout.label: {} for layout in layouts}
    return {
        layout.label: bands_of(layout, problem, options.bids, config)
        for layout, problem in zip(layouts, problems, strict=True)
    }


def _with_other_connectomes(
    asked: Asked, layouts: Sequence[PatientLayout], name: str, priors: "Priors",
    _: argparse.Namespace, config: dict[str, Any],
) -> None:  # fmt: skip
    """Explain the same seizures with other connectomes; all of them are read before a fit."""
    problems = [_fitted_problem(layout, name, config) for layout in layouts]
    persons = [
        persons_of(layout, problem, asked, config)
        for layout, problem in zip(layouts, problems, strict=True)
    ]
    for layout, problem, weights in zip(layouts, problems, persons, strict=True):
        sample = _sampled(problem, priors, config)
        for sentence in other_connectomes(layout, name, sample, asked, weights, config):
            say(f"sub-{layout.label}: {sentence}")
        say(f"sub-{layout.label}: wrote {layout.other_connectomes(name)}")


def _require_onsets(layout: PatientLayout, priors: str) -> None:
    """Raise an error if a patient was not fitted with the onset model."""
    from inference.posterior import load

    method = load(layout.posterior(priors)).attrs.get("method")
    if method != "onsets":
        raise InputError(
            f"sub-{layout.label} was fitted with the method {method}",
            where=layout.posterior(priors).name,
            expected="the onset model",
            hint="set inference.method: onsets and run the pipeline again",
        )


def _fitted_problem(layout: PatientLayout, name: str, config: dict[str, Any]) -> "Problem":
    import inference
    from inference.posterior import load

    settings = settings_from(config["inference"], inference.Settings, "inference")
    return _problem(layout, load(layout.posterior(name)), settings.evoked_responses)


def _settings(config: dict[str, Any]) -> "Settings":
    import inference

    settings = settings_from(config["inference"], inference.Settings, "inference")
    return replace(settings, seed=config["seed"])


def _sampled(problem: "Problem", priors: Any, config: dict[str, Any]) -> "OnsetSample":
    """Sample from all data, for all that the command writes."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from inference.full_sample import sample_all

    with threadpool_limits(1, user_api="blas"):
        return sample_all(problem, priors, _settings(config))


def _ablated(
    layout: PatientLayout,
    problem: "Problem",
    sample: "OnsetSample",
    priors: Any,
    config: dict[str, Any],
    bands: "dict[str, Problem]",
) -> "pd.DataFrame":
    from rich.progress import Progress

    from inference.ablation import ablate
    from virtualbrain.surgery.settings import SurgerySettings
    from virtualbrain.surgery.zone_plans import plan_of

    plan = plan_of(settings_from(config["surgery"], SurgerySettings, "surgery"), problem.regions)
    settings = _settings(config)
    separated, signals = _separated(layout, problem, settings)
    if separated.components is not None:
        sample = _sampled(separated, priors, config)
    with Progress(console=err_console, transient=True) as bar:
        task = bar.add_task(f"sub-{layout.label}", total=1.0)
        return ablate(
            separated,
            electrodes_of(layout, problem.channels),
            sample,
            priors,
            settings,
            plan,
            lambda step, fraction: bar.update(task, description=step, completed=fraction),
            bands,
            signals,
        )


def _separated(
    layout: PatientLayout, problem: "Problem", settings: "Settings"
) -> "tuple[Problem, Signals | None]":
    """Return the problem with components, as the run had it, and the signals."""
    from inference.run import signals_of
    from virtualbrain.io.seeg import read_signals
    from virtualbrain.seeg.components import separate

    recorded = read_signals(layout) if settings.components else ()
    if len(recorded) != problem.n_seizures:
        return problem, None
    signals = signals_of(recorded, problem.channels)
    return replace(problem, components=separate(signals, problem.times)), signals


def _problem(layout: PatientLayout, posterior: "xr.DataTree", evoked: bool = False) -> "Problem":
    """Return the data as they were fitted, without components."""
    import pandas as pd

    from inference.evoked_weights import with_evoked_responses
    from inference.run import align
    from inference.settings import Settings
    from virtualbrain.connectome import TEMPLATE_FRAME
    from virtualbrain.io.connectome import read_connectome
    from virtualbrain.io.evoked import read_pairs
    from virtualbrain.io.seeg import read_envelopes, read_gain

    connectome = read_connectome(layout)
    pairs = read_pairs(layout) if evoked else None
    changed = with_evoked_responses(connectome.weights, connectome.names, pairs)
    zone = posterior["constant_data"]["hypothesis"].to_series()
    stated = zone[zone != ""]
    hypothesis = pd.DataFrame({"region": stated.index.astype(str), "zone": stated.to_numpy()})
    return align(
        read_envelopes(layout),
        read_gain(layout.gain),
        changed.weights,
        connectome.names,
        hypothesis if len(hypothesis) else None,
        (),
        Settings(),
        group_connectome=connectome.group,
        template_anatomy=connectome.frame == TEMPLATE_FRAME,
    )


def electrodes_of(layout: PatientLayout, channels: Sequence[str]) -> list[str]:
    """Return the electrode of each channel: that of its first contact.

    Raises
    ------
    InputError
        A channel or its contact is not in the tables.
    """
    from virtualbrain.io.seeg import read_channels, read_contacts

    anode = read_channels(layout.channels).set_index("name")["anode"]
    electrode = read_contacts(layout.contacts).set_index("name")["electrode"]
    missing = [name for name in channels if anode.get(name) not in electrode.index]
    if missing:
        raise InputError(
            f"no electrode of the channel {missing[0]}",
            where=layout.channels.name,
            expected="every fitted channel, with an anode in the table of contacts",
            hint="run the stage seeg again",
        )
    return [str(electrode[anode[name]]) for name in channels]


def _write(
    layout: PatientLayout, priors: str, table: "pd.DataFrame", config: dict[str, Any]
) -> None:
    from inference.ablation import CHAINS, DRAWS, MOVES
    from inference.answers import CLEAR
    from inference.full_sample import MOVES as MOVES_ALL
    from virtualbrain.io.provenance import sidecar_of_fit
    from virtualbrain.io.tables import write_table

    about = sidecar_of_fit(layout, priors, config, ("inference", "surgery", "seed"))
    fits = {"MovesAllData": MOVES_ALL, "Moves": MOVES, "Draws": DRAWS, "Chains": CHAINS}
    write_table(layout.ablation(priors), table, {**about, **fits, "ClearErrors": CLEAR})


def _summary(table: "pd.DataFrame") -> str:
    without = table[table["kind"] == "without"]
    same = int(without["same_plan"].sum())
    words = f"{len(table)} fits; same plan in {same} of {len(without)} without one part"
    clear = without[without["clear"]]
    if clear.empty:
        return f"{words}; no part changes p_ez clearly"
    most = clear.iloc[int(clear["change"].abs().argmax())]
    return (
        f"{words}; largest change without {most['part']} {most['name']}: p_ez of "
        f"{most['changed_region']} by {most['change']:+.2f} ± {most['change_error']:.2f}"
    )
