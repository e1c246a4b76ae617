"""A look-alike of the package that holds the connectome of a group."""

from pathlib import Path

import numpy as np
import pandas as pd

from virtualbrain.anatomy.atlases import desikan_killiany

CEREBELLUM = ("Left-Cerebellum-Cortex", "Right-Cerebellum-Cortex")


def write_package(folder: Path) -> list[str]:
    """Write an importable package tvboptim with random weights; return its region names.

    The order is not that of the built-in atlas, and the cerebellum comes first.
    """
    rng = np.random.default_rng(3)
    names = [*CEREBELLUM, *reversed(list(desikan_killiany().table["name"]))]
    labels = [f"R{k}" for k in range(len(names))]
    weights = np.triu(rng.lognormal(0, 1, (len(names), len(names))), 1)
    package = folder / "tvboptim"
    matrices = package / "data/connectivity/dk_average"
    table = package / "data/plotting/dk_average"
    information = folder / "tvboptim-0.4.0.dist-info"
    for one in (matrices, table, information):
        one.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('only the data files are read')\n")
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: tvboptim\nVersion: 0.4.0\n")
    np.savez(
        matrices / "data.npz", weights=weights + weights.T,
        lengths=20.0 * (weights + weights.T > 0), region_labels=np.array(labels),
    )  # fmt: skip
    rows = pd.DataFrame({"acronym": labels, "label": names})
    old = rows[rows["label"].str.endswith("Thalamus")]
    old = old.assign(label=old["label"] + "-Proper")  # the table has both names of the thalamus
    pd.concat([rows, old]).to_csv(table / "fs_default_freesurfer_idx.csv", index=False)
    return names
