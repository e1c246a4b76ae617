"""Measure how precise the default fit is, how long it takes, and what continued chains change.

``measure_convergence.py OUT.tsv --seed SEED [--patients 10] [--scenario early] [--extension 1.5]
[--moves N]`` fits fresh synthetic patients with the default settings on two cores. A patient whose
chains were continued is fitted once more without it.
"""

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from inference.diagnosis import diagnose
from inference.problem import Problem
from inference.settings import Settings
from inference.validate import fit_patient, problem_of
from inference.zone_table import zones
from virtualbrain.synthetic.validation_cohort import ValidationCohort

FIGURES = ("r_hat_max", "p_ez_error_max")


def measured(problem: Problem, seed: int, number: int, settings: Settings) -> dict[str, Any]:
    """Return figures, verdict, first region and time of one fit."""
    cpu, wall = sum(os.times()[:4]), time.monotonic()
    posterior = fit_patient(problem, seed, number, settings, "default")
    seconds = {"wall_s": time.monotonic() - wall, "cpu_s": sum(os.times()[:4]) - cpu}
    found = diagnose(posterior)
    return {
        "extension": settings.extension,
        "continued": posterior.attrs["continued"],
        **{name: found["figures"][name] for name in FIGURES},
        "verdict": found["verdict"],
        "first": zones(posterior)["region"].iloc[0],
        **seconds,
    }


def measure(arguments: argparse.Namespace) -> pd.DataFrame:
    """Return one row for each fit; they are also written while it runs."""
    cohort = ValidationCohort(arguments.seed, arguments.scenario)
    settings = Settings(extension=arguments.extension, moves=arguments.moves)
    rows: list[dict[str, Any]] = []
    number = 0
    while len({row["patient"] for row in rows}) < arguments.patients:
        patient = cohort.draw(number)
        if patient.truth.sampled:
            problem = problem_of(patient)
            zone = np.array(problem.regions)[patient.truth.ez]
            fits = [measured(problem, arguments.seed, number, settings)]
            if fits[0]["continued"]:
                without = replace(settings, extension=0.0)
                fits.append(measured(problem, arguments.seed, number, without))
            size = {"patient": number, "n_regions": len(problem.regions),
                    "n_channels": len(problem.channels)}  # fmt: skip
            rows += [{**size, **fit, "first_in_zone": fit["first"] in zone} for fit in fits]
            pd.DataFrame(rows).to_csv(arguments.out, sep="\t", index=False)
        number += 1
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--scenario", default="early")
    parser.add_argument("--patients", type=int, default=10)
    parser.add_argument("--extension", type=float, default=Settings().extension)
    parser.add_argument("--moves", type=int, default=Settings().moves)
    print(measure(parser.parse_args()).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
