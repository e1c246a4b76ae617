"""Share caches of compiled code and finished folders; run the longest tests first."""

import fcntl
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from virtualbrain.pipeline.environment import use_project_caches

use_project_caches()
hypothesis.settings.register_profile("no-clock", deadline=None)
hypothesis.settings.load_profile("no-clock")


# Files by the time that they take, the longest first. Slurm makes the undisturbed run (fixture
# `finished`); other files that need it come later, so that no process waits for it.
LONGEST = (
    "workflow/test_whole_patient.py",
    "workflow/test_slurm.py",
    "workflow/test_wheel.py",
    "report/test_browser.py",
    "anatomy/test_run.py",
    "workflow/test_faults.py",
    "workflow/test_run.py",
    "inference/test_op.py",
    "diffusion/test_chain.py",
    "seeg/test_ct_contacts.py",
    "workflow/test_responses.py",
    "benchmarks/test_tvb_patients.py",
    "report/test_page.py",
    "synthetic/test_dataset.py",
    "workflow/test_validation.py",
    "inference/test_fit.py",
    "workflow/test_without_images.py",
    "cortex/test_command.py",
    "synthetic/test_diffusion_signal.py",
    "inference/test_degeneracy_command.py",
    "synthetic/test_head.py",
    "io/test_fuzz_readers.py",
    "synthetic/test_bundles.py",
    "security/test_hostile.py",
    "synthetic/test_scenarios.py",
    "anatomy/test_tissues.py",
    "cortex/test_focus_search.py",
    "seeg/test_channel_names.py",
    "models/test_mean_field.py",
    "inference/test_onset_moves.py",
    "cortex/test_cortex.py",
    "inference/test_validate_degeneracy.py",
    "inference/test_onsets.py",
    "export/test_mni.py",
    "models/test_cortex.py",
    "diffusion/test_motion.py",
    "inference/test_validate.py",
    "cortex/test_smallest.py",
    "inference/test_bands.py",
    "inference/test_validate_surgery.py",
    "inference/test_ablation.py",
    "inference/test_population.py",
    "inference/test_next_data.py",
    "inference/test_next_connectome.py",
    "inference/test_identifiability.py",
    "report/test_evoked.py",
)


def pytest_collection_modifyitems(items):
    """Start the longest files first, so that no core waits for one at the end."""
    place = {name: number for number, name in enumerate(LONGEST)}
    folder = Path(__file__).parent
    items.sort(key=lambda item: place.get(item.path.relative_to(folder).as_posix(), len(LONGEST)))


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """A function that returns a folder which one process makes and all test processes read.

    Nobody may change the folder: a test that does so works on a copy.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # that of all workers

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = root / f"shared-{name}", root / f"shared-{name}.done"
        with (root / f"shared-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # remains of a process that failed
                folder.mkdir(mode=0o700)
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def connectome_patient(made_once) -> Path:
    """A dataset of a patient with a ready connectome and a recording; not to be changed."""
    from virtualbrain.synthetic.dataset import write_connectome_patient

    return made_once("connectome-patient", lambda folder: write_connectome_patient(folder, seed=1))


@pytest.fixture(scope="session")
def stimulated_patient(made_once) -> Path:
    """The patient of `connectome_patient` with a recording of single pulses; not to be changed."""
    from virtualbrain.synthetic.dataset import write_connectome_patient

    return made_once(
        "stimulated-patient",
        lambda folder: write_connectome_patient(folder, seed=1, stimulated=True),
    )


@pytest.fixture(scope="session")
def demo_images(made_once):
    """Head, bundles and diffusion series of the demo patient of seed 1."""
    from virtualbrain.synthetic.dataset import make_demo_images

    folder = made_once(
        "demo-images",
        lambda new: (new / "made.pickle").write_bytes(pickle.dumps(make_demo_images(seed=1))),
    )
    return pickle.loads((folder / "made.pickle").read_bytes())
