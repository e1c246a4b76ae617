"""Learn how far a share of draws without a seizure is to be believed; prints the constants.

``python tests/benchmarks/learn_promise.py OUT/surgery.tsv ...``: tables of validations with
``--surgery``. Prints too what its calibration would have been, each patient left out in turn.
Only patients whose zone was sampled teach; never report on a seed that taught.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from inference.scores import calibration_error
from virtualbrain.surgery.promise import evidence
from virtualbrain.surgery.settings import SurgerySettings


def learned(evidences: np.ndarray, free: np.ndarray) -> LogisticRegression:
    """Regress what came true on the log odds of what was promised."""
    return LogisticRegression(C=1e3).fit(evidences[:, None], free)


def plans_of(path: Path) -> pd.DataFrame:
    """Read the plans for sampled zones, with the share of draws that promised an end."""
    plans = pd.read_csv(path, sep="\t", na_values="n/a")
    # tables of before this correction hold the share itself as p_seizure_free
    plans["share"] = plans["share_free" if "share_free" in plans else "p_seizure_free"]
    return plans[(plans["kind"] == "plan") & plans["sampled"]]


def main() -> None:
    """Learn and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs="+")
    tables = [plans_of(path) for path in parser.parse_args().tables]
    plans = pd.concat(tables, keys=range(len(tables)), names=["table", None]).reset_index("table")
    share = plans["share"].to_numpy()
    n_draws = SurgerySettings().draws
    evidences = np.array([evidence(s, n_draws) for s in share])
    free = plans["free"].to_numpy(dtype=bool)
    patient = plans.groupby(["table", "patient"]).ngroup().to_numpy()
    model = learned(evidences, free)
    print(f"INTERCEPT, SLOPE = {model.intercept_[0]:.3f}, {model.coef_[0, 0]:.3f}")
    left_out = np.empty(len(share))
    for number in np.unique(patient):
        out = patient == number
        model = learned(evidences[~out], free[~out])
        left_out[out] = model.predict_proba(evidences[out][:, None])[:, 1]
    print(
        f"calibration error of shares {calibration_error(share, free, 5):.3f}, "
        f"left out {calibration_error(left_out, free, 5):.3f}, {len(share)} plans"
    )


if __name__ == "__main__":
    main()
