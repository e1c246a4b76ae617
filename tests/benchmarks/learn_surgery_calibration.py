"""Learn the constants that calibrate p_seizure_free from the fraction of seizure-free draws.

    python tests/benchmarks/learn_surgery_calibration.py VALIDATION ...

The arguments are output folders of validations with ``--surgery``. Prints the constants and the
calibration with each validation left out in turn. Never report on a seed that was learned from.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score

from virtualbrain.posterior import expected_ez_regions, log_expected_ez_regions
from virtualbrain.surgery.calibration import log_odds
from virtualbrain.surgery.settings import SurgerySettings
from virtualbrain.synthetic.scores import calibration_error

FEATURES = ["evidence", "log_ez_regions"]


def learned(features: pd.DataFrame, true: pd.Series) -> LogisticRegression:
    """Fit a logistic regression of the outcome."""
    return LogisticRegression(C=1e3).fit(features.to_numpy(), true.to_numpy(dtype=bool))


def patients_of(folder: Path) -> pd.DataFrame:
    """Return the expected EZ regions of each fit, and whether the zone was sampled."""
    regions = pd.read_csv(folder / "regions.tsv", sep="\t")
    by = regions.groupby("patient")
    starts = by["fit"].apply(lambda p: log_expected_ez_regions(expected_ez_regions(p.to_numpy())))
    return pd.DataFrame({"log_ez_regions": starts, "sampled": by["sampled"].first()}).reset_index()


def plans_of(folder: Path, patients: pd.DataFrame) -> pd.DataFrame:
    """Return the plans with the fraction of seizure-free draws and the expected EZ regions."""
    plans = pd.read_csv(folder / "surgery.tsv", sep="\t", na_values="n/a")
    # earlier tables have the uncorrected fraction as p_seizure_free
    fraction = plans["share_free" if "share_free" in plans else "p_seizure_free"]
    n_draws = SurgerySettings().draws
    plans["fraction"] = fraction
    plans["evidence"] = [log_odds(f, n_draws) for f in fraction.fillna(0.0)]
    return plans[plans["kind"] == "plan"].merge(
        patients[["patient", "log_ez_regions"]], on="patient"
    )


def left_out(table: pd.DataFrame, features: list[str], true: str) -> np.ndarray:
    """Predict each validation with a model learned from the others."""
    found = np.empty(len(table))
    for number in table["validation"].unique():
        out = (table["validation"] == number).to_numpy()
        model = learned(table.loc[~out, features], table.loc[~out, true])
        found[out] = model.predict_proba(table.loc[out, features].to_numpy())[:, 1]
    return found


def report(what: str, predicted: np.ndarray, true: np.ndarray) -> None:
    """Print calibration, Brier score and AUC."""
    print(
        f"{what}: calibration error {calibration_error(predicted, true, 5):.3f}, "
        f"Brier {brier_score_loss(true, predicted):.3f}, AUC {roc_auc_score(true, predicted):.2f}, "
        f"{len(true)}"
    )


def main() -> None:
    """Learn and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("validations", type=Path, nargs="+")
    folders = parser.parse_args().validations
    each = [patients_of(folder) for folder in folders]
    plans = pd.concat(
        [
            plans_of(folder, patients).assign(validation=number)
            for number, (folder, patients) in enumerate(zip(folders, each, strict=True))
        ],
        ignore_index=True,
    )
    patients = pd.concat(
        [table.assign(validation=number) for number, table in enumerate(each)], ignore_index=True
    )
    outcome = learned(plans[FEATURES], plans["free"])
    constants = ", ".join(f"{c:.3f}" for c in (outcome.intercept_[0], *outcome.coef_[0]))
    print(f"INTERCEPT, PER_EVIDENCE, PER_EZ_REGIONS = {constants}")
    free, sampled = (plans[name].to_numpy(dtype=bool) for name in ("free", "sampled"))
    predicted = left_out(plans, FEATURES, "free")
    report("fraction of draws", plans["fraction"].to_numpy(), free)
    report("calibrated, left out", predicted, free)
    report("  of sampled zones", predicted[sampled], free[sampled])
    known = patients["sampled"].to_numpy(dtype=bool)
    report("zone sampled, left out", left_out(patients, ["log_ez_regions"], "sampled"), known)


if __name__ == "__main__":
    main()
