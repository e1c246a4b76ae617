"""Measure the accuracy of the contacts that are found in made CTs, for docs/seeg.md.

python -m tests.benchmarks.measure_contacts [FIRST_SEED LAST_SEED]
"""

import sys
import time
from itertools import product

import numpy as np

from tests.seeg.made_ct import Scene, make_ct
from virtualbrain.seeg.ct_contacts import find_contacts

SCENES = {
    f"{words}, {spacing:g} mm, {scale}": Scene(spacing_mm=spacing, scale=scale, **settings)
    for (words, settings), (spacing, scale) in product(
        {
            "bolts": {},
            "no bolts": {"bolts": False},
            "bent by up to 6 mm": {"bend_mm": 6.0},
            "crossing at 1.8 to 3.5 mm": {"crossing": True},
            "bent, crossing, blooming": {"bend_mm": 6.0, "crossing": True, "peak_hu": 9000.0},
        }.items(),
        [(3.5, "8-bit"), (5.0, "8-bit window"), (3.5, "hounsfield"), (5.0, "wide")],
    )
}


def measure(scene: Scene, seeds: range) -> dict[str, float]:
    """Return counts and errors over the seeds."""
    errors, electrodes, shifts, seconds = [np.zeros(0)], 0, 0, 0.0
    refused = 0
    for seed in seeds:
        ct, ends, true = make_ct(scene, seed)
        start = time.perf_counter()
        found = find_contacts(ct, ends)
        seconds += time.perf_counter() - start
        electrodes += len(found)
        for electrode in found:
            places = electrode.contacts[["x", "y", "z"]].to_numpy()
            error = np.linalg.norm(places - true[electrode.name], axis=1)
            if electrode.decided:
                errors.append(error)
                shifts += bool(np.median(error) > scene.spacing_mm / 2)
            else:
                refused += 1
    every = np.concatenate(errors)
    return {
        "electrodes": electrodes,
        "not decided": refused,
        "shifted": shifts,
        "contacts": len(every),
        "within": int((every < 1).sum()),
        "median": float(np.median(every)),
        "largest": float(every.max()),
        "seconds": seconds / electrodes,
    }


def main(first: int = 1000, last: int = 1005) -> None:
    """Print one row for each kind of CT, and the sums."""
    seeds = range(first, last + 1)
    rows = {}
    for name, scene in SCENES.items():
        rows[name] = measure(scene, seeds)
        print(name, {key: round(value, 3) for key, value in rows[name].items()}, flush=True)
    total = {
        key: sum(row[key] for row in rows.values())
        for key in ("electrodes", "not decided", "shifted", "contacts", "within")
    }
    print("all", total, f"{100 * total['within'] / total['contacts']:.2f} % within 1 mm")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
