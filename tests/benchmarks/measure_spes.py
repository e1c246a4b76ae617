"""Measure the N1 detector on synthetic SPES recordings of known connectivity.

``measure_spes.py [--recordings 10] [--first-seed 1] [--patients 0]`` prints sensitivity,
specificity, errors of the latency, mean probabilities, and the correlation of amplitudes with the
truth, over all sites and contacts, for several amplitudes of the N1 (background 40 microvolts, ten
pulses at each site, 2048 Hz). With --patients, it prints how well responses from region to region
agree with the truth of demo patients (seeds from --first-seed), with the true regions of contacts,
for three summaries of the amplitude, and how well the closeness of two regions alone does.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr

from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.run import run_seeg
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.stimulation.epochs import EpochSettings, cut_trials, margins_s
from virtualbrain.stimulation.n1 import N1Settings, detect_n1
from virtualbrain.stimulation.regions import STATS, regional_responses
from virtualbrain.stimulation.spes import SpesSettings, run_spes
from virtualbrain.synthetic.dataset import write_connectome_patient
from virtualbrain.synthetic.spes import SpesChoices, draw_spes
from virtualbrain.synthetic.truth_files import (
    read_true_contacts,
    read_true_responses,
    read_true_weights,
)

SETTINGS = EpochSettings()


def measured(recording, seed):
    """Return amplitude, latency and probability (n_sites, n_contacts), NaN at stimulated ones."""
    start, stop = margins_s(SETTINGS)
    n_before, n = round(-start * recording.rate_hz), round((stop - start) * recording.rate_hz)
    tables = np.full((3, *recording.amplitude_v.shape), np.nan)
    for row, site in enumerate(recording.sites):
        own = recording.events["electrical_stimulation_site"] == site
        firsts = [round(t * recording.rate_hz) - n_before for t in recording.events["onset"][own]]
        pieces = [recording.signal_v[:, first : first + n] for first in firsts]
        trials = cut_trials(pieces, n_before, recording.rate_hz, SETTINGS)
        used = [k for k, name in enumerate(recording.names) if name not in site.split("-")]
        n1 = detect_n1(trials.values[:, used], trials.times_s, np.random.default_rng(seed))
        tables[:, row, used] = n1.amplitude, n1.latency_s, n1.probability
    return tables


def print_rates(choices, seeds):
    counts, errors, correlations = np.zeros((2, 2)), [], []
    chances = ([], [])
    for seed in seeds:
        recording = draw_spes(np.random.default_rng(seed), choices)
        amplitude, latency, probability = measured(recording, seed)
        used, connected = np.isfinite(probability), recording.amplitude_v != 0
        found = np.isfinite(amplitude)
        for truth in (0, 1):
            for seen in (0, 1):
                counts[truth, seen] += (used & (connected == truth) & (found == seen)).sum()
            chances[truth].extend(probability[used & (connected == truth)])
        errors.extend(np.abs(latency - recording.latency_s)[found & connected])
        pair = np.nan_to_num(amplitude)[used], recording.amplitude_v[used]
        correlations.append(np.corrcoef(np.abs(pair[0]), np.abs(pair[1]))[0, 1])
    middle, high = 1e3 * np.percentile(errors, [50, 90])
    print(
        f"  N1 {choices.n1_v * 1e6:3.0f} uV: sensitivity {counts[1, 1] / counts[1].sum():.3f}, "
        f"specificity {counts[0, 0] / counts[0].sum():.3f}, "
        f"latency error {middle:.2f} ms (90 %: {high:.2f}), under 2 ms "
        f"{np.mean(np.array(errors) < 2e-3):.3f}, "
        f"probability {np.mean(chances[1]):.2f} and {np.mean(chances[0]):.2f}, "
        f"correlation of amplitudes {np.mean(correlations):.2f} (least {min(correlations):.2f}); "
        f"{counts[1].sum():.0f} connections, {counts[0].sum():.0f} others"
    )


def print_regional(seed):
    """Print the agreement of each summary of the responses with the truth of one demo patient."""
    with tempfile.TemporaryDirectory() as folder:
        bids = Path(folder)
        write_connectome_patient(bids, seed=seed, stimulated=True)
        files = find_patient(bids, "01")
        plain, found = (
            run_spes(files, SeegSettings(), np.random.default_rng(seed), settings)
            for settings in (SpesSettings(n1=N1Settings(slow_s=0.0)), SpesSettings())
        )
        table = read_table(next(files.connectome.glob("*_dseg.tsv")))
        gain = run_seeg(files, table, None, None, None, SeegSettings()).gain
        contacts = read_true_contacts(bids, "01")
        truths = [read_true_responses(bids, "01", stat) for stat in ("amplitude", "latency")]
        weights = read_true_weights(bids, "01").T
    named = zip(contacts["name"], contacts["region"], strict=True)
    regions = {name: region for name, region in named if isinstance(region, str)}
    places = table.set_index("name")[["x", "y", "z"]]
    near = pd.DataFrame(-cdist(places, places), index=places.index, columns=places.index)
    print(f"  seed {seed}:")
    without_background = {name: plain.tables[name] for name in STATS}
    for label, spes, tables, of_gain in (
        ("mean N1 with slow background", plain, without_background, None),
        (
            "without slow background, relative to the channel's background",
            found,
            found.tables,
            None,
        ),
        ("the same, weighted by the gain", found, found.tables, gain),
    ):
        rng = np.random.default_rng(1)
        pairs = regional_responses(tables, spes.contacts_of, regions, rng, of_gain).pairs
        print(f"    {label}: {agreement(pairs, *truths, weights, near)}")


def agreement(pairs, true, true_latency, weights, near):
    """Return the agreement of pairs of different regions with the truth in words."""
    pairs = pairs[pairs["stimulated"] != pairs["recorded"]].reset_index(drop=True)

    def of(matrix):
        ends = zip(pairs["stimulated"], pairs["recorded"], strict=True)
        return pd.Series([matrix.loc[source, target] for source, target in ends])

    amplitude, truth = pairs["amplitude_v"], of(true)
    late = np.abs(pairs["latency_s"] - of(true_latency))[pairs["probability"] > 0.5]
    ranked, closeness = spearmanr(amplitude, truth).statistic, spearmanr(of(near), truth).statistic
    both = spearmanr(amplitude, of(near)).statistic
    partial = (ranked - closeness * both) / np.sqrt((1 - closeness**2) * (1 - both**2))
    return (
        f"{len(pairs)} pairs, correlation of amplitudes {np.corrcoef(amplitude, truth)[0, 1]:.2f}, "
        f"rank correlation {ranked:.2f} (of closeness alone {closeness:.2f}; of amplitudes given "
        f"closeness {partial:.2f}; of probabilities "
        f"{spearmanr(pairs['probability'], truth).statistic:.2f}; with the true weights "
        f"{spearmanr(amplitude, of(weights)).statistic:.2f}), latency error "
        f"{1e3 * late.median():.1f} ms where an N1 is likely"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--patients", type=int, default=0)
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.recordings)
    if options.recordings:
        print(f"N1 detector, {options.recordings} recordings, background 40 uV:")
    for size in (40e-6, 80e-6, 160e-6) if options.recordings else ():
        print_rates(replace(SpesChoices(), n1_v=size), seeds)
    for seed in range(options.first_seed, options.first_seed + options.patients):
        print_regional(seed)


if __name__ == "__main__":
    main()
