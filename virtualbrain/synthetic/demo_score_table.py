"""Print the scores of a demo patient as tables."""

from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from virtualbrain.synthetic.demo_score import DemoScores
from virtualbrain.synthetic.scores import OnsetScore, Proportion


def print_scores(scores: DemoScores, console: Console) -> None:
    """Print one table of scores and one of durations."""
    console.print(_score_table(scores))
    if scores.seconds:
        console.print(_time_table(scores))


def _score_table(scores: DemoScores) -> Table:
    table = Table(
        title=f"sub-{scores.label}: results compared with the truth", title_justify="left"
    )
    table.add_column("measure")
    table.add_column("value", justify="right")
    rows: list[tuple[str, Any]] = [
        ("parcellation: median Dice, cortex", _number(scores.dice_cortical)),
        ("parcellation: median Dice, subcortex", _number(scores.dice_subcortical)),
        ("connectome: rank correlation of weights", _number(scores.weights_spearman)),
        ("connectome: correlation of log weights", _number(scores.weights_log_pearson)),
        ("connectome: true connections found", _percent(scores.connections_found)),
        ("contacts in the correct region", _percent(scores.contact_accuracy)),
        ("  if more than 2 mm inside it", _percent_of(scores.deep_contacts)),
        ("  if more than 2 mm from other regions", _percent_of(scores.clear_contacts)),
        *_onset_rows(scores.onsets),
        *(
            (f"rank of {name} (epileptogenic)", _rank(r, scores))
            for name, r in scores.ranks.items()
        ),
        ("recruited regions among the first ten ranks", _percent(scores.recruited_in_first_ten)),
        (f"verdict ({scores.priors})", scores.verdict or "none"),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _time_table(scores: DemoScores) -> Table:
    table = Table(title="duration of each stage", title_justify="left")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    for stage, seconds in scores.seconds.items():
        table.add_row(stage, f"{seconds:.0f}")
    table.add_row("total", f"{sum(scores.seconds.values()):.0f}", style="bold")
    return table


def _number(value: float | None) -> str:
    return "none" if value is None or not np.isfinite(value) else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.0%}"


def _percent_of(proportion: Proportion | None) -> str:
    if proportion is None or not proportion.n:
        return "none"
    return f"{proportion.right / proportion.n:.0%} of {proportion.n}"


def _onset_rows(onsets: OnsetScore | None) -> list[tuple[str, Any]]:
    if onsets is None:
        return []
    return [
        (
            "channel onsets within 1 s of the true one",
            _percent_of(Proportion(onsets.within_1_s, onsets.seizing)),
        ),
        ("false onsets among channel onsets", _percent_of(Proportion(onsets.false, onsets.found))),
    ]


def _rank(rank: int | None, scores: DemoScores) -> str:
    return "not ranked" if rank is None else f"{rank} of {scores.n_regions}"
