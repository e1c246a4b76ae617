"""
Compare priors
==============

A result that depends on the priors is weak. Fit the same patient with two prior sets and compare.

:download:`small_patient.py </tutorials/small_patient.py>` makes the patient; put it beside this
script.
"""

# %%
# A prior set of your own
# -----------------------
# A prior set is a YAML file; `config/priors/default.yaml` explains every number. A file of your
# own needs only what differs. Here regions are less excitable: fewer of them start seizures.

from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
from small_patient import EZ, small_patient

import inference
from virtualbrain.errors import VirtualBrainError

mine = Path(mkdtemp()) / "mine.yaml"
mine.write_text("""
description: low excitability everywhere
x0: {mean: -2.8, sd: 0.2}
""")
print(inference.load_priors(mine).x0)

# %%
# A misspelt name is an error in one line, before anything long starts:

wrong = mine.with_name("wrong.yaml")
wrong.write_text("x0: {mean: -2.8, sdd: 0.2}\n")
try:
    inference.load_priors(wrong)
except VirtualBrainError as error:
    print(error)

# %%
# Two fits
# --------

patient = small_patient()
settings = inference.Settings(chains=2, moves=20_000, draws=400, cores=1, seed=1)
fits = {
    name: inference.zones(inference.fit(patient.problem, priors, settings)).set_index("region")
    for name, priors in {"default": "default", "mine": mine}.items()
}

# %%
# The comparison
# --------------
# Regions far from the diagonal depend on the priors.

fig, axis = plt.subplots(figsize=(5.5, 5), layout="constrained")
first, second = fits["default"]["p_ez"], fits["mine"]["p_ez"]
inside = np.isin(first.index, EZ)
for chosen, label in ((inside, "true EZ"), (~inside, "other regions")):
    axis.plot(first[chosen], second.loc[first.index][chosen], "o", label=label, clip_on=False)
axis.plot([0, 1], [0, 1], color="grey", lw=0.8)
axis.set(xlim=(0, 1), ylim=(0, 1), xlabel="p_ez, default priors", ylabel="p_ez, my priors")
axis.set_title("p_ez of every region with two prior sets", fontsize=10)
axis.legend()

# %%
# For a patient
# -------------
# The pipeline does the same, and the report compares both sets:
#
# .. code-block:: bash
#
#    cp config/priors/default.yaml mine.yaml
#    virtualbrain run BIDS OUT --priors default mine.yaml
#
# Only inference, surgery and report run again. Next: :doc:`plan a surgery
# <tutorial_4_plan_a_surgery>`.
