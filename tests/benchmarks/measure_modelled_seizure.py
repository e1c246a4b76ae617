"""Measure whether the fitted network seizes as the draws and as the recording say.

``measure_modelled_seizure.py OUT.tsv --seed SEED [--scenario early] [--patients 10]
[--moves 60000] [--cores 2]`` fits fresh synthetic patients. The table has one row for each patient
and seizure: how far the simulated onsets of EZ and recruited regions are from those of the draws,
Spearman's correlation of recorded and predicted onsets of the channels, the part of the channels
with a recorded onset that has a predicted one, and whether the first modelled region is one that
the first recorded channels see best.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import spearmanr

from inference.onsets.recording import flattened
from inference.problem import Problem
from inference.settings import Settings
from inference.validate import fit_patient, problem_of
from virtualbrain.models.reduced import ReducedMembers, run_reduced
from virtualbrain.posterior import simulated_x0, starts_seizures
from virtualbrain.report.onsets import N_REGIONS_OF_CHANNEL, TOGETHER_S
from virtualbrain.report.seizure_fit import envelope_onset
from virtualbrain.synthetic.validation_cohort import ValidationCohort


def with_seizures(dataset: xr.Dataset) -> xr.Dataset:
    """Return a group whose dim seizure is left out if there is one."""
    return dataset if "seizure" in dataset.dims else dataset.expand_dims("seizure")


def simulated_steps(posterior: xr.DataTree, seizure: int) -> np.ndarray:
    """Return the onset of each region in each draw, (n_draws, n_regions), by simulation."""
    samples = with_seizures(posterior["posterior"].to_dataset()).isel(seizure=seizure)
    flat = samples.assign(x0_simulated=simulated_x0(samples)).stack(sample=("chain", "draw"))
    flat = flat.transpose("sample", ...)
    members = ReducedMembers(
        flat["x0_simulated"].to_numpy(), flat["K"].to_numpy(), flat["tau0"].to_numpy(),
        x_init=flat["x_init"].to_numpy(), z_init=flat["z_init"].to_numpy(),
    )  # fmt: skip
    return run_reduced(
        posterior["constant_data"]["weights"].to_numpy(), members,
        n_steps=int(posterior.attrs["n_steps"]) - 1, dt=float(posterior.attrs["dt"]),
        integrator=posterior.attrs["integrator"],
    ).onset_step  # fmt: skip


def against_draws(posterior: xr.DataTree, seizure: int, steps: np.ndarray) -> dict[str, float]:
    """Return how well the simulated onsets are those of the draws, in seconds."""
    samples = posterior["posterior"].to_dataset()
    onset = with_seizures(samples)["onset_s"].isel(seizure=seizure)
    wanted = onset.stack(sample=("chain", "draw")).transpose("sample", "region").to_numpy()
    ez = starts_seizures(samples).to_numpy().reshape(wanted.shape)
    time_s = with_seizures(posterior["constant_data"].to_dataset())["time_s"].isel(seizure=seizure)
    first, step_s = float(time_s[0]), float(np.diff(time_s).mean())
    found = first + step_s * steps
    active = np.isfinite(wanted)
    figures = {"against_the_draws": float((np.isfinite(found) & ~active & ~ez).sum(axis=1).mean())}
    for name, those in (("ez", active & ez), ("recruited", active & ~ez)):
        seizes = np.isfinite(found[those])
        error = np.abs(found[those] - np.maximum(wanted[those], first + step_s))[seizes]
        figures[f"{name}_seize"] = float(seizes.mean()) if those.any() else np.nan
        figures[f"{name}_error_s"] = float(error.mean()) if seizes.any() else np.nan
    return figures


def against_recording(
    posterior: xr.DataTree, problem: Problem, seizure: int, steps: np.ndarray
) -> dict[str, Any]:
    """Return how well predicted and modelled onsets are those of the recording."""
    time_s = with_seizures(posterior["constant_data"].to_dataset())["time_s"].isel(seizure=seizure)
    groups = (
        posterior["observed_data"].to_dataset(),
        posterior["posterior_predictive"].to_dataset().sel(quantile=0.5),
    )
    recorded, predicted = (
        with_seizures(group)["envelope"]
        .isel(seizure=seizure)
        .transpose("time", "channel")
        .to_numpy()
        for group in groups
    )
    times = time_s.to_numpy()
    onsets = np.array(
        [
            [envelope_onset(times, envelopes[:, c]) for envelopes in (recorded, predicted)]
            for c in range(recorded.shape[1])
        ]
    )
    rises = np.flatnonzero(np.isfinite(onsets[:, 0]))
    both = onsets[rises]
    known = np.isfinite(both).all(axis=1)
    rank = float(spearmanr(*both[known].T).statistic) if known.sum() > 3 else np.nan
    often = np.isfinite(steps).mean(axis=0) >= 0.5
    figures = {
        "rank_correlation": rank,
        "predicted_to_rise": float(known.sum() / max(len(known), 1)),
    }
    if not often.any() or not known.any():
        return figures | {"first_is_seen_first": np.nan}
    middle = np.where(often, np.median(np.where(np.isfinite(steps), steps, 1e9), axis=0), np.inf)
    early = rises[both[:, 0] <= np.nanmin(both[:, 0]) + TOGETHER_S]
    seen = np.argsort(-flattened(problem.gain)[early], axis=1)[:, :N_REGIONS_OF_CHANNEL]
    return figures | {"first_is_seen_first": bool(int(middle.argmin()) in seen)}


def measure(arguments: argparse.Namespace) -> pd.DataFrame:
    """Return one row for each patient and seizure."""
    settings = Settings(moves=arguments.moves, cores=arguments.cores)
    cohort = ValidationCohort(arguments.seed, arguments.scenario)
    rows: list[dict[str, Any]] = []
    for number in range(arguments.patients):
        problem = problem_of(cohort.draw(number))
        posterior = fit_patient(problem, cohort.seed, number, settings, "default")
        for seizure in range(problem.n_seizures):
            steps = simulated_steps(posterior, seizure)
            figures = against_draws(posterior, seizure, steps)
            figures |= against_recording(posterior, problem, seizure, steps)
            rows.append({"patient": number, "seizure": seizure, **figures})
        pd.DataFrame(rows).to_csv(arguments.out, sep="\t", index=False)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--scenario", default="early")
    parser.add_argument("--patients", type=int, default=10)
    parser.add_argument("--moves", type=int, default=Settings().moves)
    parser.add_argument("--cores", type=int, default=2)
    table = measure(parser.parse_args())
    print(table.round(3).to_string(index=False))
    print(table.drop(columns=["patient", "seizure"]).astype(float).describe().round(3).to_string())


if __name__ == "__main__":
    main()
