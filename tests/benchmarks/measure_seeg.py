"""Measure the accuracy and memory of the SEEG stage, for docs/validation.md.

measure_seeg.py onsets FOLDER SEED...   channel onsets of synthetic patients (written to FOLDER)
measure_seeg.py places DEMO OUT         regions of contacts in 20 more implantations
measure_seeg.py ecog NPZ                a real onset: signal, channels, fs, onset_s
measure_seeg.py hour FOLDER             memory for one seizure in an hour, 200 channels, 2 kHz
measure_seeg.py edf FOLDER              time to read a seizure from an EDF, here and with MNE
"""

import re
import resource
import sys
import time
from pathlib import Path

import mne
import numpy as np
import pandas as pd

from tests.io.edf_files import Channel, EdfFile
from virtualbrain.io.anatomy import read_anatomy
from virtualbrain.io.images import read_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.recordings import read_signal
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.contact_regions import name_regions, place_points
from virtualbrain.seeg.contacts import contact_table
from virtualbrain.seeg.envelope import EnvelopeChoices, log_power, remove_line
from virtualbrain.seeg.epileptogenicity import energy_ratio, epileptogenicity_index
from virtualbrain.seeg.montage import build_montage, recorded_table, weight_matrix
from virtualbrain.seeg.onsets import detect_onsets
from virtualbrain.seeg.run import run_seeg
from virtualbrain.seeg.seizure_features import onset_choices
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.synthetic.dataset import write_connectome_patient
from virtualbrain.synthetic.implant import plan_implantation
from virtualbrain.synthetic.points import points_from_labels
from virtualbrain.synthetic.scores import compare_onsets, depths_mm
from virtualbrain.synthetic.truth_files import (
    read_region_truth,
    read_true_channels,
    read_true_contacts,
    true_labels,
)

SETTINGS = SeegSettings()


def onsets(folder: str, *seeds: str) -> None:
    """Compare channel onsets with the simulated ones, for each patient and for all."""
    rows = []
    for seed in map(int, seeds):
        bids = Path(folder) / f"seed-{seed}"
        if not (bids / "derivatives" / "truth").is_dir():
            write_connectome_patient(bids, seed)
        files = find_patient(bids, "01")
        regions = read_table(next(files.connectome.glob("*_dseg.tsv")))
        result = run_seeg(files, regions, None, None, None, SETTINGS)
        true, faults = read_true_channels(bids, "01"), read_true_contacts(bids, "01")
        fault = faults.set_index("name")["fault"]
        faulty = (fault[true["anode"]].to_numpy() != "none") | (
            fault[true["cathode"]].to_numpy() != "none"
        )
        found = result.channels.set_index("name")["onset_s"]
        marked_s = result.envelopes[0].attrs["onset_in_recording_s"]
        score = compare_onsets(true.assign(faulty=faulty), found + marked_s)
        rows.append((score.seizing, score.within_1_s, score.found, score.false))
        print(seed, score, flush=True)
    seizing, near, found, false = np.sum(rows, axis=0)
    print(f"within 1 s: {near / seizing:.1%} of {seizing}; false: {false / found:.1%} of {found}")


def places(demo: str, out: str) -> None:
    """Score the regions of contacts in 20 implantations on the demo's true anatomy."""
    layout = PatientLayout.of_results(out, "01")
    path, table = true_labels(Path(demo), "01")
    image = read_image(path)
    points = points_from_labels(image, table)
    focus = read_region_truth(Path(demo), "01").query("zone == 'EZ'")["region"].tolist()
    anatomy, regions = read_anatomy(layout), read_table(layout.connectome_regions)
    frames = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        aims = focus if seed == 0 else list(rng.choice(points.regions, 2, replace=False))
        contacts = plan_implantation(points, aims, rng)
        frames.append(contacts)
    places_mm = pd.concat(frames)[["x", "y", "z"]].to_numpy(float)
    at = points.region_at(places_mm)
    grey = at >= 0
    placed = place_points(
        places_mm[grey], regions, anatomy.labels, anatomy.brain_mask, SETTINGS
    ).probabilities
    found, _, _ = name_regions(placed, [str(name) for name in regions["name"]])
    true = [points.regions[i] for i in at[grey]]
    own = table.set_index("name")["index"][true].to_numpy(int)
    inside, apart = depths_mm(places_mm[grey], own, image)
    right = np.array([a == b for a, b in zip(true, found, strict=True)])
    for subset, mask in (
        ("in grey matter", inside >= 0),
        ("deeper than 1 mm inside the region", inside > 1),
        ("deeper than 2 mm inside the region", inside > 2),
        ("more than 2 mm from every other region", apart > 2),
    ):
        print(f"{subset}: {right[mask].mean():.1%} of {mask.sum()} contacts in the right region")


def ecog(path: str) -> None:
    """Print onsets and Epileptogenicity Index of three seconds around a real onset."""
    with np.load(path) as stored:
        names = [str(name) for name in stored["channels"]]
        signal, rate_hz = stored["signal"].astype(float), float(stored["fs"])
        times_s = np.arange(signal.shape[1]) / rate_hz - float(stored["onset_s"])
    contacts = contact_table(names, np.full((len(names), 3), np.nan))
    recorded = recorded_table(names, contacts)
    baseline_s = (float(times_s[0]), 0.0)
    clinicians = re.compile(r"ATT[12]$|AD[1-4]$|PD[1-4]$")
    for kind in ("bipolar", "monopolar"):
        channels = build_montage(recorded, {}, kind)
        mixed = weight_matrix([c.recorded for c in channels], names) @ signal
        clean = remove_line(mixed, rate_hz, 60.0)
        onset_s = detect_onsets(clean, times_s, rate_hz, baseline_s, onset_choices(SETTINGS))
        ratio, frames_s = energy_ratio(clean, times_s, rate_hz)
        index = epileptogenicity_index(ratio, frames_s, baseline_s)
        table = pd.DataFrame({"name": [c.name for c in channels], "onset_s": onset_s, "EI": index})
        choices = EnvelopeChoices(SETTINGS.band_hz, 0.5, 0.3, baseline_s)
        _, level = log_power(clean, times_s, rate_hz, choices)
        table["before"] = pd.Series(level).rank(ascending=False).astype(int)
        own = [any(clinicians.match(contact) for contact in c.contacts) for c in channels]
        table["clinicians"] = own
        found = table.dropna(subset="onset_s")
        print(f"\n{kind}: {len(found)} of {len(table)} channels with an onset,")
        print(f"{int(found['clinicians'].sum())} of {sum(own)} clinical onset channels among them")
        print("Rank of the power before the mark (column 'before') of the clinical onset channels:")
        print(sorted(table.loc[table["clinicians"], "before"]))
        print(found.sort_values("onset_s").head(20).round(2).to_string(index=False))
        print(table.sort_values("EI", ascending=False).head(12).round(2).to_string(index=False))


def hour(folder: str) -> None:
    """Print the peak memory for one seizure in an hour of 200 channels at 2 kHz."""
    bids, rate, n, electrodes = Path(folder), 2000.0, 3600 * 2000, 20
    ieeg = bids / "sub-01" / "ieeg"
    ieeg.mkdir(parents=True, exist_ok=True)
    names = [f"{chr(65 + e)}{i}" for e in range(electrodes) for i in range(1, 11)]
    stem = ieeg / "sub-01_task-x_ieeg"
    if not stem.with_suffix(".eeg").is_file():
        _write_hour(stem, names, rate, n)
    _write_hour_tables(bids, ieeg, names)
    x = np.linspace(-60, 60, 8)
    regions = pd.DataFrame(
        {"index": range(1, 9), "name": [f"ctx-lh-{i}" for i in range(8)], "hemisphere": "L",
         "structure": "cortex", "x": x, "y": 0.0, "z": 0.0, "area": np.nan, "volume": 6000.0}
    )  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.process_time()
    result = run_seeg(find_patient(bids, "01"), regions, None, None, None, SETTINGS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(result.channels)} channels, {time.process_time() - start:.0f} s of one core, "
        f"peak {peak:.0f} MiB (before: {before:.0f} MiB; limit 1024 MiB)"
    )


def edf(folder: str) -> None:
    """Print the time to read 90 s of 150 channels at 512 Hz, electrode by electrode."""
    rng = np.random.default_rng(0)
    names = [f"{chr(65 + e)}{i}" for e in range(10) for i in range(1, 16)]
    channels = [Channel(name, 512.0, rng.standard_normal(512 * 600) * 40) for name in names]
    path = EdfFile(channels, marks=[(300.0, None, "sz")]).write(Path(folder) / "x.edf")
    shafts = [names[i : i + 15] for i in range(0, len(names), 15)]

    def here() -> None:
        for shaft in shafts:
            read_signal(path, shaft, 270.0, 360.0)

    def with_mne() -> None:
        for shaft in shafts:
            raw = mne.io.read_raw(path, verbose="error")
            raw.get_data(shaft, start=270 * 512, stop=360 * 512)

    for read in (here, with_mne):
        times = []
        for _ in range(3):
            start = time.perf_counter()
            read()
            times.append(time.perf_counter() - start)
        print(f"{read.__name__}: {min(times):.2f} s")


def _write_hour(stem: Path, names: list[str], rate: float, n: int) -> None:
    """Write noise in BrainVision format (16 bit), ten seconds at a time."""
    rng = np.random.default_rng(0)
    block = rng.normal(0, 300, (round(10 * rate), len(names))).astype("<i2")
    with stem.with_suffix(".eeg").open("wb") as stream:
        for k in range(round(n / len(block))):
            stream.write(np.roll(block, 37 * k, axis=0).tobytes())
    rows = [f"Ch{i}={name},,0.1,µV" for i, name in enumerate(names, start=1)]
    stem.with_suffix(".vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={stem.name}.eeg\nMarkerFile={stem.name}.vmrk\nDataFormat=BINARY\n"
        f"DataOrientation=MULTIPLEXED\nNumberOfChannels={len(names)}\n"
        f"SamplingInterval={1e6 / rate:g}\n\n[Binary Infos]\nBinaryFormat=INT_16\n\n"
        "[Channel Infos]\n" + "\n".join(rows) + "\n"
    )
    stem.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\n"
        f"DataFile={stem.name}.eeg\n\n[Marker Infos]\nMk1=New Segment,,1,1,0\n"
    )


def _write_hour_tables(bids: Path, ieeg: Path, names: list[str]) -> None:
    """Write the BIDS tables of the recording, with one seizure."""
    (bids / "dataset_description.json").write_text('{"Name": "hour", "BIDSVersion": "1.10.0"}')
    place = {name: (6.0 * (i // 10) - 57, 4.0 * (i % 10), 0.0) for i, name in enumerate(names)}
    contacts = pd.DataFrame([(n, *p) for n, p in place.items()], columns=["name", "x", "y", "z"])
    contacts.to_csv(ieeg / "sub-01_electrodes.tsv", sep="\t", index=False)
    (ieeg / "sub-01_coordsystem.json").write_text(
        '{"iEEGCoordinateSystem": "ScanRAS", "iEEGCoordinateUnits": "mm"}'
    )
    stem = ieeg / "sub-01_task-x_ieeg"
    events = "onset\tduration\ttrial_type\n1800\t60\tseizure\n"
    stem.with_name("sub-01_task-x_events.tsv").write_text(events)


if __name__ == "__main__":
    commands = {"onsets": onsets, "places": places, "ecog": ecog, "hour": hour, "edf": edf}
    commands[sys.argv[1]](*sys.argv[2:])
