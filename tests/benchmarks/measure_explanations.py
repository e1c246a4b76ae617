"""Measure whether the list of explanations holds the true zone, and how long it is.

    python tests/benchmarks/measure_explanations.py OUT.tsv [--scenario early] [--patients 40]
        [--seed N] [--moves 15000] [--suspicion 0.05]

One row for each synthetic patient of a validation with a sampled zone: the number of listed
explanations, whether the true zone is among their zones, whether it lies within the certain and
possible regions of one of them (all certain regions in the zone), the degeneracy index, the
verdict, and whether the first region is in the zone. The truth is read after the fit.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from inference.diagnose import diagnose
from inference.settings import Settings
from inference.validate import fit_patient, problem_of
from inference.zones import zones
from virtualbrain.surgery.explanations import Explanations, explanations
from virtualbrain.surgery.resection_constraints import ResectionConstraints
from virtualbrain.surgery.settings import SurgerySettings
from virtualbrain.synthetic.validation_cohort import ValidationCohort


def named(names: str | None) -> set[str]:
    """Return the regions of a cell of the table."""
    return set(names.split(",")) if isinstance(names, str) else set()


def scored(found: Explanations, zone: frozenset[str]) -> dict[str, Any]:
    """Return how long the list is and whether it holds the zone."""
    credible = found.table["credible"].to_numpy(bool)
    among = [zone in listed for listed, use in zip(found.zones, credible, strict=True) if use]
    rows = list(found.table[credible].itertuples())
    pairs = [(named(row.certain), named(row.possible)) for row in rows]
    return {
        "n_listed": len(found.table),
        "holds_zone": any(among),
        "within_regions": any(sure <= zone <= sure | open_ for sure, open_ in pairs),
        "index": found.index,
        "effective_zones": found.index_zones,
        "n_possible": max((len(open_) for _, open_ in pairs), default=0),
    }


def measure(arguments: argparse.Namespace) -> pd.DataFrame:
    """Return one row for each patient; they are also written while it runs."""
    cohort = ValidationCohort(arguments.seed, arguments.scenario)
    settings = Settings(moves=arguments.moves, chains=2, draws=200, cores=1)
    surgery = SurgerySettings(suspicion=arguments.suspicion)
    rows: list[dict[str, Any]] = []
    number = 0
    while len(rows) < arguments.patients:
        patient = cohort.draw(number)
        if patient.truth.sampled:
            problem = problem_of(patient)
            posterior = fit_patient(problem, arguments.seed, number, settings, "default")
            names = np.array(problem.regions)
            free = ResectionConstraints(pd.DataFrame({"name": names}))
            found, table = explanations(posterior, surgery, free), zones(posterior)
            zone = frozenset(str(name) for name in names[patient.truth.ez])
            rows.append(
                {
                    "patient": number,
                    "n_zone": len(zone),
                    "verdict": diagnose(posterior)["verdict"],
                    "first_in_zone": table["region"].iloc[0] in zone,
                    **scored(found, zone),
                }
            )
            pd.DataFrame(rows).to_csv(arguments.out, sep="\t", index=False)
        number += 1
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("out", type=Path)
    parser.add_argument("--scenario", default="early")
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--moves", type=int, default=15_000)
    parser.add_argument("--suspicion", type=float, default=SurgerySettings().suspicion)
    table = measure(parser.parse_args())
    print(table.drop(columns=["patient", "verdict"]).astype(float).agg(["mean", "median"]).round(3))
    print(table.groupby(["verdict", "holds_zone"])["index"].agg(["count", "median"]).round(2))


if __name__ == "__main__":
    main()
