"""
Your own BIDS patient
=====================

The pipeline reads a BIDS folder. This tutorial writes the smallest one that can be fitted, a
recording with contacts and a ready connectome, and lets ``virtualbrain check`` find what is
wrong with it. With a T1w image and a diffusion series the connectome is computed instead; see
:doc:`your patient </generated/your-patient>`.
"""

# %%
# The recording
# -------------
# Ten contacts of two electrodes, 90 s at 256 Hz, in microvolts; the power rises at 40 s.

import json
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pybv
from small_patient import REGIONS, region_table

rng = np.random.default_rng(1)
bids = Path(mkdtemp()) / "bids"
ieeg = bids / "sub-01" / "ieeg"
ieeg.mkdir(parents=True)

contacts = [f"{electrode}{number}" for electrode in "AB" for number in range(1, 6)]
times = np.arange(90 * 256) / 256
microvolts = 20 * rng.standard_normal((10, len(times)))
seizing = (times > 40) & (times < 70)
microvolts[:5, seizing] *= 8
pybv.write_brainvision(
    data=1e-6 * microvolts,
    sfreq=256,
    ch_names=contacts,
    fname_base="sub-01_task-seizure_ieeg",
    folder_out=ieeg,
    unit="µV",
)

fig, axis = plt.subplots(figsize=(7, 3), layout="constrained")
for row in range(len(contacts)):
    axis.plot(times[::8], microvolts[row, ::8] / 400 - row, lw=0.4, color="black")
axis.set_yticks(-np.arange(10), contacts, fontsize=8)
axis.set_xlabel("seconds")
axis.set_title("Recording of ten contacts; five of them seize after 40 s", fontsize=10)

# %%
# The tables
# ----------
# What the files beside the recording must state: unit and status of the channels, the marked
# seizure, and the contacts in millimetres in a stated frame.


def write(path, content):
    """Write a table as TSV, anything else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pd.DataFrame):
        content.to_csv(path, sep="\t", index=False, na_rep="n/a")
    else:
        path.write_text(json.dumps(content, indent=2))


regions = region_table(rng)
start = regions[["x", "y", "z"]].to_numpy()
places = np.vstack([start[0] + [[3.5 * k, 0, 0] for k in range(5)],
                    start[3] + [[3.5 * k, 0, 0] for k in range(5)]])  # fmt: skip
write(bids / "dataset_description.json", {"Name": "tutorial", "BIDSVersion": "1.10.0"})
recording = "sub-01_task-seizure"
write(
    ieeg / f"{recording}_ieeg.json",
    {
        "TaskName": "seizure", "SamplingFrequency": 256, "PowerLineFrequency": 50,
        "iEEGReference": "scalp", "SoftwareFilters": "n/a",
    },
)  # fmt: skip
channels = pd.DataFrame(
    {
        "name": contacts, "type": "SEEG", "units": "µV", "low_cutoff": 100, "high_cutoff": 0.1,
        "status": "good",
    }
)  # fmt: skip
write(ieeg / f"{recording}_channels.tsv", channels)
write(
    ieeg / "sub-01_electrodes.tsv",
    pd.DataFrame({"name": contacts, **dict(zip("xyz", places.T.round(1), strict=True)), "size": 5}),
)
write(
    ieeg / "sub-01_coordsystem.json",
    {"iEEGCoordinateSystem": "ScanRAS", "iEEGCoordinateUnits": "cm"},
)

# %%
# A ready connectome
# ------------------
# Two matrices with region names, and a region table.

folder = bids / "derivatives" / "connectome" / "sub-01"
distance = np.linalg.norm(start[:, None] - start[None], axis=-1)
for statistic, matrix in {
    "streamlines": np.exp(-distance / 25) * (distance > 0),
    "length": distance,
}.items():
    table = pd.DataFrame(matrix, index=REGIONS, columns=REGIONS).reset_index(names="name")
    write(folder / f"sub-01_atlas-Small_stat-{statistic}_relmat.tsv", table)
write(folder / "sub-01_atlas-Small_dseg.tsv", regions[["name", "x", "y", "z"]])

# %%
# Check
# -----
# In a terminal: ``virtualbrain check BIDS``. It takes seconds, changes nothing, and lists every
# problem: what is wrong, where, what was expected, what to do.


def check():
    """Run `virtualbrain check` and print what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "virtualbrain.cli", "check", str(bids)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    print((done.stdout + done.stderr).replace(str(bids.parent) + "/", "").strip())
    print(f"exit code {done.returncode}")


check()

# %%
# No seizure is marked, and the contacts are not in centimetres. Correct both, and check again.

write(
    ieeg / f"{recording}_events.tsv",
    pd.DataFrame({"onset": [40.0], "duration": [30.0], "trial_type": ["seizure"]}),
)
write(
    ieeg / "sub-01_coordsystem.json",
    {"iEEGCoordinateSystem": "ScanRAS", "iEEGCoordinateUnits": "mm"},
)
check()

# %%
# Run
# ---
#
# .. code-block:: bash
#
#    virtualbrain run BIDS OUT
#
# writes ``OUT/sub-01.html`` and the tables behind it. Read the :doc:`report </report-guide>`
# from the top: the verdict first. A stopped run continues when it is started again.
