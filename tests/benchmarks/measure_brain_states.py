"""Measure the Lempel-Ziv PCI of simulated wake and slow-wave sleep, and against b_e.

``measure_brain_states.py [--seeds 15] [--first-seed 1] [--b-e 5 60] [--time-scale 20]`` prints one
line for each b_e and seed, and a summary. A seed is one run on the Desikan-Killiany cortex: a
synthetic connectome (the same for all seeds), noise of the seed, and a pulse to one region once a
second.
"""

import argparse

import numpy as np

from virtualbrain.anatomy.atlases import desikan_killiany
from virtualbrain.anatomy.regions import region_table
from virtualbrain.errors import ModelError
from virtualbrain.models.mean_field import AdExMeanField
from virtualbrain.models.mean_field_simulation import simulate_mean_field
from virtualbrain.models.stimulus import Stimulus
from virtualbrain.network import Network
from virtualbrain.stimulation.lempel_ziv import (
    lempel_ziv_pci,
    significant_samples,
    significant_samples_of_trials,
)
from virtualbrain.stimulation.state_transitions import PcistSettings, pcist
from virtualbrain.synthetic.connectomes import connectome_from_geometry

SITE = "ctx-lh-superiorparietal"
RATE_HZ = 1000.0
SETTLING_S, INTERVAL_S, JITTER_S, WIDTH_S = 2.0, 0.8, 0.4, 0.05
AMPLITUDE = 2e-4  # kHz per ms; stronger pulses saturate the region
WINDOW_S = 0.3


def cortex():
    """Return the connectome of the cortical regions; the input of every region sums to one."""
    atlas = desikan_killiany()
    labels = np.asarray(atlas.image.dataobj, dtype=np.int32)
    table = region_table(atlas.table, labels, atlas.image.affine, {})
    table = table[table["structure"] == "cortex"].reset_index(drop=True)
    drawn = connectome_from_geometry(table, np.random.default_rng(0))
    weights = drawn.weights / drawn.weights.sum(axis=1, keepdims=True)
    return Network(weights, drawn.lengths, drawn.regions)


def stimulated_run(network, model, seed, n_trials):
    """Return E around every pulse (n_trials, n_regions, n_samples), and times from the pulse."""
    rng = np.random.default_rng(seed)
    onsets = SETTLING_S + np.cumsum(INTERVAL_S + rng.uniform(0, JITTER_S, n_trials))
    onsets = np.round(onsets, 3)
    wave = np.zeros((round((onsets[-1] + WIDTH_S) * RATE_HZ), 1))
    for onset in onsets:
        wave[round(onset * RATE_HZ) : round((onset + WIDTH_S) * RATE_HZ)] = AMPLITUDE
    site = np.zeros((1, network.n_regions))
    site[0, network.regions.index(SITE)] = 1.0
    run = simulate_mean_field(
        network, model, duration=onsets[-1] + 2 * WINDOW_S, seed=rng, noise=1.0,
        stimulus=Stimulus(wave, site, 1 / RATE_HZ), sample_rate=RATE_HZ,
    )  # fmt: skip
    rates = run["E"].values[0]
    n = round(WINDOW_S * RATE_HZ)
    starts = [round(onset * RATE_HZ) for onset in onsets]
    trials = np.stack([rates[start - n : start + n].T for start in starts])
    return trials, np.arange(-n, n) / RATE_HZ


def index_of(significant):
    """Return the Lempel-Ziv PCI; zero if no sample is significant."""
    try:
        return lempel_ziv_pci(significant)
    except ModelError:
        return 0.0


def measures(trials, times, seed):
    """Return Lempel-Ziv PCI of single trials and of their mean, PCIst, and mean rate (Hz)."""
    single = significant_samples_of_trials(trials, times, np.random.default_rng(seed))
    mean = significant_samples(trials, times, np.random.default_rng(seed))
    windows = PcistSettings(baseline_s=(-0.25, -0.05), response_s=(0.01, 0.299))
    return (
        float(np.mean([index_of(one) for one in single])),
        index_of(mean),
        pcist(trials.mean(axis=0), times, windows).value,
        1e3 * trials[:, :, times < 0].mean(),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=15)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--b-e", type=float, nargs="+", default=[5.0, 60.0])
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--time-scale", type=float, default=20.0, help="T in ms")
    options = parser.parse_args()
    network = cortex()
    print("b_e  seed  PCI of trials  PCI of mean  PCIst  rate_Hz")
    for b_e in options.b_e:
        found = []
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            model = AdExMeanField(b_e=b_e, T=options.time_scale)
            one = measures(*stimulated_run(network, model, seed, options.trials), seed)
            print(f"{b_e:<5g}{seed:<6}{one[0]:<15.3f}{one[1]:<13.3f}{one[2]:<7.1f}{one[3]:.2f}",
                  flush=True)  # fmt: skip
            found.append(one)
        low, middle, high = np.percentile(found, [0, 50, 100], axis=0)
        for k, name in enumerate(("PCI of trials", "PCI of mean", "PCIst", "rate_Hz")):
            print(f"b_e {b_e:g}: {name} {low[k]:.3f} to {high[k]:.3f}, median {middle[k]:.3f}")


if __name__ == "__main__":
    main()
