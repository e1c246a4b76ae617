"""
Plan a surgery
==============

Every plan is simulated on draws of the posterior: remove the regions, start the network again,
and count the regions that seize. Research use only: the numbers are those of a model.

:download:`small_patient.py </tutorials/small_patient.py>` makes the patient; put it beside this
script.
"""

# %%
# Fit first
# ---------

import textwrap

import matplotlib.pyplot as plt
import numpy as np
from small_patient import small_patient

import inference
from virtualbrain.surgery.candidates import resection
from virtualbrain.surgery.run import Patient, run_surgery
from virtualbrain.surgery.settings import SurgerySettings

made = small_patient()
settings = inference.Settings(chains=2, moves=20_000, draws=400, cores=1, seed=1)
posterior = inference.fit(made.problem, settings=settings)
diagnosis = inference.diagnose(posterior)
print(diagnosis["verdict"])

# %%
# The plans
# ---------
# The search proposes plans from the leading regions. Add those of the clinic: here one that
# spares the hippocampus. Regions that must stay are `eloquent`. Sham plans are random regions
# of the same size; a plan that is not better than sham is useless. With the verdict do-not-use
# no plan is ranked.

patient = Patient(
    zones=inference.zones(posterior),
    regions=made.regions,
    plans=(resection(("Right-Amygdala",)),),
    eloquent=(("ctx-lh-superiortemporal", "language"),),
    verdict=diagnosis["verdict"],
)
surgery = run_surgery(
    posterior, patient, SurgerySettings(draws=60, sham=20, confirm=0), np.random.default_rng(1)
)
print(surgery.conclusion)
columns = [
    "rank",
    "candidate",
    "kind",
    "n_regions",
    "volume_mm3",
    "seizing_after",
    "p_seizure_free",
]
surgery.outcomes[columns].round(2).head(10)

# %%
# What each plan leaves
# ---------------------

shown = surgery.outcomes[surgery.outcomes["kind"] != "sham"].head(8)
fig, axis = plt.subplots(figsize=(7, 5), layout="constrained")
rows = np.arange(len(shown))
axis.barh(rows, shown["seizing_after"], color="tab:red", alpha=0.7)
axis.hlines(rows, shown["seizing_after_low"], shown["seizing_after_high"], color="black", lw=1)
short = [plan.replace("ctx-rh-", "").replace("Right-", "") for plan in shown["regions"].fillna("")]
labels = [textwrap.fill(plan.replace(",", " "), 36) or "no surgery" for plan in short]
axis.set_yticks(rows, labels, fontsize=7)
axis.invert_yaxis()
axis.set_xlabel("regions that seize after the plan (line: 90 % of the draws)")
axis.set_title("Regions that seize after each plan", fontsize=10)

# %%
# For a patient
# -------------
# `virtualbrain run` does this for every patient. Plans of your own are a table in the dataset:
# see :doc:`settings </generated/settings>`. How to read the numbers: :doc:`report </report-guide>`.
