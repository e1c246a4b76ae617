"""A patient of whom there are contacts in MNI152 and a recording, and no image."""

import json
from pathlib import Path

import numpy as np

from virtualbrain.synthetic.connectomes import connectome_from_geometry
from virtualbrain.synthetic.dataset import write_seeg
from virtualbrain.synthetic.demo_patient import DemoPatient
from virtualbrain.synthetic.points import atlas_head


def write_mni_patient(folder: Path, seed: int, frame: str = "MNI152NLin2009cAsym") -> DemoPatient:
    """Write the patient; the contacts are in the built-in atlas, without size and pose."""
    wiring, disease = np.random.default_rng(seed).spawn(2)
    regions, points = atlas_head()
    (folder / "sub-01").mkdir(parents=True)
    description = {"Name": "made", "BIDSVersion": "1.10.0"}
    (folder / "dataset_description.json").write_text(json.dumps(description))
    network = connectome_from_geometry(regions, wiring)
    patient = write_seeg(folder, "01", network, regions, points, seed, disease)
    (path,) = (folder / "sub-01").rglob("*_coordsystem.json")
    content = json.loads(path.read_text())
    content |= {"iEEGCoordinateSystem": frame, "iEEGCoordinateSystemDescription": "n/a"}
    path.write_text(json.dumps(content))
    return patient
