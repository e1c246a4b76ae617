"""Learn how far a share of draws without a seizure is to be believed; prints the constants.

``python tests/benchmarks/learn_promise.py VALIDATION ...``: output folders of validations with
``--surgery``. Prints too what the calibration would have been, each validation left out in turn.
Never report on a seed that taught.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score

from inference.scores import calibration_error
from virtualbrain.io.results import expected_ez_regions
from virtualbrain.surgery.calibration import evidence, log_starts
from virtualbrain.surgery.settings import SurgerySettings

FEATURES = ["evidence", "log_starts"]


def learned(features: pd.DataFrame, true: pd.Series) -> LogisticRegression:
    """Regress what came true."""
    return LogisticRegression(C=1e3).fit(features.to_numpy(), true.to_numpy(dtype=bool))


def patients_of(folder: Path) -> pd.DataFrame:
    """Read what each fit expects to start seizures, and whether the zone was sampled."""
    regions = pd.read_csv(folder / "regions.tsv", sep="\t")
    by = regions.groupby("patient")
    starts = by["fit"].apply(lambda p: log_starts(expected_ez_regions(p.to_numpy())))
    return pd.DataFrame({"log_starts": starts, "sampled": by["sampled"].first()}).reset_index()


def plans_of(folder: Path, patients: pd.DataFrame) -> pd.DataFrame:
    """Read the plans, with the share of draws that promised an end, and what the fits expected."""
    plans = pd.read_csv(folder / "surgery.tsv", sep="\t", na_values="n/a")
    # tables of before this correction hold the share itself as p_seizure_free
    share = plans["share_free" if "share_free" in plans else "p_seizure_free"]
    n_draws = SurgerySettings().draws
    plans["share"], plans["evidence"] = share, [evidence(s, n_draws) for s in share.fillna(0.0)]
    return plans[plans["kind"] == "plan"].merge(patients[["patient", "log_starts"]], on="patient")


def left_out(table: pd.DataFrame, features: list[str], true: str) -> np.ndarray:
    """Predict each validation by what the others taught."""
    found = np.empty(len(table))
    for number in table["validation"].unique():
        out = (table["validation"] == number).to_numpy()
        model = learned(table.loc[~out, features], table.loc[~out, true])
        found[out] = model.predict_proba(table.loc[out, features].to_numpy())[:, 1]
    return found


def tell(what: str, predicted: np.ndarray, true: np.ndarray) -> None:
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
    promise = learned(plans[FEATURES], plans["free"])
    constants = ", ".join(f"{c:.3f}" for c in (promise.intercept_[0], *promise.coef_[0]))
    print(f"INTERCEPT, PER_EVIDENCE, PER_STARTS = {constants}")
    seen = learned(patients[["log_starts"]], patients["sampled"])
    print(f"SEEN_INTERCEPT, SEEN_PER_STARTS = {seen.intercept_[0]:.3f}, {seen.coef_[0, 0]:.3f}")
    free, sampled = (plans[name].to_numpy(dtype=bool) for name in ("free", "sampled"))
    told = left_out(plans, FEATURES, "free")
    tell("shares of draws", plans["share"].to_numpy(), free)
    tell("promises, left out", told, free)
    tell("  of sampled zones", told[sampled], free[sampled])
    known = patients["sampled"].to_numpy(dtype=bool)
    tell("zone seen, left out", left_out(patients, ["log_starts"], "sampled"), known)


if __name__ == "__main__":
    main()
