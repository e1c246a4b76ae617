"""Read mutated files with every reader, in a process of limited memory.

    python -m tests.io.fuzz [--files 100] [--seed 1] [--reader NAME ...]

A reader must return, or raise one error of the project with a message of one line. The process may
use 500 MiB of address space more than after the imports (RLIMIT_AS), and 2 s of processor time for
each file (ITIMER_PROF). Prints every failure as a line of JSON; the exit code is 1 if there is one.
"""

import argparse
import gzip
import io
import json
import mmap
import os
import re
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import mne
import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.freesurfer import io as fsio
from scipy.io import savemat

from inference.priors import PRIORS_FOLDER, load_priors
from tests.io.edf_files import Channel, EdfFile
from virtualbrain.anatomy.atlases import read_label_table
from virtualbrain.config import project_root, read_yaml
from virtualbrain.connectome import Connectome
from virtualbrain.errors import VirtualBrainError
from virtualbrain.io.anatomy import Surface, write_surface, write_vertex_labels
from virtualbrain.io.anatomy import read_surface as read_own_surface
from virtualbrain.io.atomic import read_json
from virtualbrain.io.bids import Recording
from virtualbrain.io.clinical import read_eloquent, read_hypothesis, read_plans, read_resected
from virtualbrain.io.connectome import read_ready_connectome, write_connectome
from virtualbrain.io.coordsystem import read_coordinate_system
from virtualbrain.io.freesurfer import read_annotation, read_lookup, read_surface
from virtualbrain.io.gradients import read_fsl_gradients
from virtualbrain.io.images import read_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.recordings import read_channels_table, read_header, read_signal
from virtualbrain.io.tables import read_matrix, read_table
from virtualbrain.io.tvb_zip import read_tvb_zip, write_tvb_zip

LIMIT_S = 2.0
LIMIT_BYTES = 500 * 2**20
_PAIR = struct.Struct("<qq")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_EXTREME = (
    b"0", b"-1", b"nan", b"inf", b"1e308", b"-1e308", b"1e-320", b"999999999999", b"2147483648",
    b"", b"x", b"1,5", b"0x10", b"\xff\xfe", b"n/a",
)  # fmt: skip
_JUNK = (
    b"\x00",
    b"\xff",
    b"\n",
    b"\t",
    b'"',
    b"{",
    b"}",
    b"[",
    b",",
    b";",
    b"%s",
    b"\x00\x00",
)
_INTEGERS = (-1, 0, 1, 2**15 - 1, -(2**15), 2**31 - 1, -(2**31), 10**6)


class TooSlowError(BaseException):
    """The time limit was reached; no reader can catch it by accident."""


@dataclass(frozen=True)
class Reader:
    """A reader with valid files: `write` makes them and returns those that may be mutated."""

    write: Callable[[Path], list[Path]]
    read: Callable[[Path], object]


@dataclass(frozen=True)
class Failure:
    """A mutated file with which a reader failed."""

    reader: str
    number: int
    file: str
    what: str


# ---- valid files ------------------------------------------------------------------------------


def _signals(count: int = 3) -> list[Channel]:
    rng = np.random.default_rng(0)
    return [Channel(f"A{k + 1}", 64.0, rng.normal(0, 50, 256)) for k in range(count)]


def _edf(name: str, **options: object) -> Callable[[Path], list[Path]]:
    marks = [(1.0, 2.0, "seizure"), (2.5, None, "end")]
    return lambda folder: [EdfFile(_signals(), marks=marks, **options).write(folder / name)]


def _raw() -> mne.io.RawArray:
    rng = np.random.default_rng(0)
    info = mne.create_info(["A1", "A2", "A3"], 64.0, "seeg")
    raw = mne.io.RawArray(1e-5 * rng.standard_normal((3, 256)), info, verbose="error")
    raw.set_annotations(mne.Annotations([1.0], [2.0], ["seizure"]))
    return raw


def _brainvision(folder: Path) -> list[Path]:
    mne.export.export_raw(folder / "a.vhdr", _raw(), verbose="error")
    return [folder / name for name in ("a.vhdr", "a.vmrk", "a.eeg")]


def _fif(folder: Path) -> list[Path]:
    _raw().save(folder / "a_ieeg.fif", verbose="error")
    return [folder / "a_ieeg.fif"]


def _eeglab(folder: Path) -> list[Path]:
    events = {"type": np.array(["seizure"], object), "latency": np.array([64.0])}
    content = {
        "nbchan": 3.0, "trials": 1.0, "pnts": 256.0, "srate": 64.0, "xmin": 0.0, "xmax": 4.0,
        "data": np.random.default_rng(0).standard_normal((3, 256)).astype(np.float32),
        "chanlocs": np.array([(f"A{k}",) for k in (1, 2, 3)], dtype=[("labels", object)]),
        "event": events, "icawinv": [], "icaweights": [], "icasphere": [], "epoch": [],
        "setname": "a",
    }  # fmt: skip
    savemat(folder / "a.set", {"EEG": content}, appendmat=False)
    return [folder / "a.set"]


def _recorded(name: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        header = read_header(folder / name)
        return read_signal(folder / name, header.names[:2], 0.5, 2.0)

    return read


def _text(name: str, content: str) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        (folder / name).write_text(content, "utf-8")
        return [folder / name]

    return write


def _regions(count: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    names = [f"ctx-{'lh' if k < count // 2 else 'rh'}-{'abcdef'[k % 6]}" for k in range(count)]
    table = pd.DataFrame({"index": np.arange(1, count + 1), "name": names})
    table["hemisphere"] = ["L" if "lh" in name else "R" for name in names]
    table["structure"] = "cortex"
    table[["x", "y", "z"]] = np.round(rng.normal(0, 40, (count, 3)), 2)
    return table.assign(area=100.0, volume=1000.0)


def _matrices(count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    weights = np.triu(rng.lognormal(0, 1, (count, count)), 1)
    weights = weights + weights.T
    return weights, np.where(weights > 0, 40.0, 0.0)


def _connectome() -> Connectome:
    return Connectome(_regions(), *_matrices(), "made")


def _region_table(folder: Path, atlas: str) -> Path:
    path = folder / f"sub-01_atlas-{atlas}_dseg.tsv"
    _regions().to_csv(path, sep="\t", index=False)
    return path


def _zip(folder: Path) -> list[Path]:
    write_tvb_zip(folder / "connectivity.zip", _connectome())
    return [folder / "connectivity.zip"]


def _named(folder: Path) -> list[Path]:
    layout = PatientLayout(folder, "01", "A")
    write_connectome(layout, _connectome(), {})
    return [layout.connectome_regions, layout.relmat("streamlines"), layout.relmat("length")]


def _qsirecon(folder: Path) -> list[Path]:
    weights, lengths = _matrices()
    names = np.array(list(_regions()["name"]), object)
    path = folder / "sub-01_connectivity.mat"
    content = {
        "A_region_labels": names, "A_sift_radius2_count_connectivity": weights,
        "A_radius2_meanlength_connectivity": lengths,
    }  # fmt: skip
    savemat(path, content, do_compression=bool(len(names) % 2))
    return [path, _region_table(folder, "A")]


def _neurolib(folder: Path) -> list[Path]:
    weights, lengths = _matrices()
    savemat(folder / "DTI_CM.mat", {"sc": weights})
    savemat(folder / "DTI_LEN.mat", {"len": lengths}, do_compression=True)
    _region_table(folder, "A")
    return [folder / "DTI_CM.mat", folder / "DTI_LEN.mat"]


def _micapipe(folder: Path) -> list[Path]:
    found = []
    for kind, matrix in zip(("connectome", "edgeLengths"), _matrices(), strict=True):
        array = nib.gifti.GiftiDataArray(np.triu(matrix).astype(np.float32))
        path = folder / f"sub-01_atlas-A_full-{kind}.shape.gii"
        nib.save(nib.GiftiImage(darrays=[array]), path)
        found.append(path)
    _region_table(folder, "A")
    return found


def _mrtrix(folder: Path) -> list[Path]:
    paths = [folder / "weights.csv", folder / "lengths.csv"]
    for path, matrix in zip(paths, _matrices(), strict=True):
        np.savetxt(path, matrix, delimiter=",", fmt="%.6g")
    return [*paths, _region_table(folder, "A")]


def _image(name: str) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        rng = np.random.default_rng(0)
        affine = np.array([[2.0, 0, 0, -8], [0, 2, 0, -8], [0, 0, 2, -8], [0, 0, 0, 1]])
        voxels = rng.integers(0, 100, (8, 8, 8)).astype(np.int16)
        kind = nib.MGHImage if "mg" in Path(name).suffix else nib.Nifti1Image
        image = kind(voxels.astype(np.int32) if kind is nib.MGHImage else voxels, affine)
        nib.save(image, folder / name)
        return [folder / name]

    return write


def _tetrahedron() -> tuple[np.ndarray, np.ndarray]:
    vertices = np.array([[0.0, 0, 0], [10, 0, 0], [0, 10, 0], [0, 0, 10]])
    return vertices, np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]])


def _annotation(folder: Path) -> list[Path]:
    colours = np.array([[20, 30, 40, 0, 0], [50, 60, 70, 0, 0]])
    path = folder / "lh.aparc.annot"
    fsio.write_annot(path, np.array([0, 1, 1, 0]), colours, ["one", "two"], fill_ctab=True)
    return [path]


def _freesurfer_surface(folder: Path) -> list[Path]:
    fsio.write_geometry(folder / "lh.pial", *_tetrahedron())
    _image("T1.mgz")(folder)
    return [folder / "lh.pial", folder / "T1.mgz"]


def _gifti_surface(folder: Path) -> list[Path]:
    surface = Surface(*_tetrahedron(), np.array([1, 1, 2, 2]))
    write_surface(folder / "pial.gii", surface, "L")
    write_vertex_labels(folder / "labels.gii", surface, _regions(), "L")
    return [folder / "pial.gii", folder / "labels.gii"]


def _gradients(folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((3, 8))
    directions /= np.linalg.norm(directions, axis=0)
    np.savetxt(folder / "a.bvec", directions, fmt="%.6f")
    np.savetxt(folder / "a.bval", [[0] + [1000] * 7], fmt="%d")
    return [folder / "a.bval", folder / "a.bvec"]


_CHANNELS = "name\ttype\tunits\tstatus\nA1\tSEEG\tµV\tgood\nA2\tSEEG\tV\tbad\n"
_FRAME = json.dumps(
    {
        "iEEGCoordinateSystem": "Other",
        "iEEGCoordinateSystemDescription": "scanner RAS of the T1w",
        "iEEGCoordinateUnits": "mm",
        "IntendedFor": ["bids::sub-01/anat/sub-01_T1w.nii.gz"],
    }
)
_LOOKUP = "# No. Label R G B A\n0 Unknown 0 0 0 0\n1 L.A ctx-lh-a 25 100 40 0\n2 ctx-lh-b 1 2 3 0\n"
_HYPOTHESIS = "region\tzone\nctx-lh-a\tEZ\nctx-lh-b\tPZ\n"
_PLANS = (
    "name\tkind\tregions\tto\tpair\none\tresection\tctx-lh-a, ctx-lh-b\tn/a\tn/a\n"
    "two\tdisconnection\tctx-lh-a\tctx-lh-b\tn/a\nthree\tstimulation\tn/a\tn/a\tA1-A2\n"
)

READERS: dict[str, Reader] = {
    "edf": Reader(_edf("a.edf"), _recorded("a.edf")),
    "edf-pauses": Reader(
        _edf("a.edf", kind="EDF+D", starts_s=[0.0, 1.0, 5.0, 6.0]), _recorded("a.edf")
    ),
    "bdf": Reader(_edf("a.bdf"), _recorded("a.bdf")),
    "brainvision": Reader(_brainvision, _recorded("a.vhdr")),
    "fif": Reader(_fif, _recorded("a_ieeg.fif")),
    "eeglab": Reader(_eeglab, _recorded("a.set")),
    "tsv": Reader(
        _text("a.tsv", "name\tx\ty\nA1\t1.5\t-2\nA2\tn/a\t3\n"),
        lambda folder: read_table(folder / "a.tsv", required=["name", "x"]),
    ),
    "tsv-matrix": Reader(
        _text("m.tsv", "name\ta\tb\na\t0\t1.5\nb\t1.5\t0\n"),
        lambda folder: read_matrix(folder / "m.tsv"),
    ),
    "tsv-channels": Reader(
        _text("channels.tsv", _CHANNELS),
        lambda folder: read_channels_table(
            Recording(folder / "a_ieeg.edf", folder / "channels.tsv", None)
        ),
    ),
    "tsv-hypothesis": Reader(
        _text("h.tsv", _HYPOTHESIS), lambda folder: read_hypothesis(folder / "h.tsv")
    ),
    "tsv-eloquent": Reader(
        _text("e.tsv", "region\tfunction\nctx-lh-a\tspeech\n"),
        lambda folder: read_eloquent(folder / "e.tsv"),
    ),
    "tsv-plans": Reader(_text("p.tsv", _PLANS), lambda folder: read_plans(folder / "p.tsv")),
    "tsv-resected": Reader(
        _text("r.tsv", "region\tshare\nctx-lh-a\t0.5\n"),
        lambda folder: read_resected(folder / "r.tsv"),
    ),
    "json": Reader(_text("a.json", _FRAME), lambda folder: read_json(folder / "a.json")),
    "json-coordsystem": Reader(
        _text("c.json", _FRAME),
        lambda folder: read_coordinate_system(read_json(folder / "c.json"), "c.json"),
    ),
    "bval-bvec": Reader(
        _gradients, lambda folder: read_fsl_gradients(folder / "a.bval", folder / "a.bvec")
    ),
    "nifti": Reader(_image("a.nii"), lambda folder: read_image(folder / "a.nii")),
    "nifti-gz": Reader(_image("a.nii.gz"), lambda folder: read_image(folder / "a.nii.gz")),
    "mgh": Reader(_image("a.mgh"), lambda folder: read_image(folder / "a.mgh")),
    "mgz": Reader(_image("a.mgz"), lambda folder: read_image(folder / "a.mgz")),
    "zip": Reader(_zip, lambda folder: read_tvb_zip(folder / "connectivity.zip")),
    "named-matrices": Reader(
        _named, lambda folder: read_ready_connectome(folder / "sub-01/connectome")
    ),
    "mat-qsirecon": Reader(_qsirecon, read_ready_connectome),
    "mat-neurolib": Reader(_neurolib, read_ready_connectome),
    "gifti-matrix": Reader(_micapipe, read_ready_connectome),
    "gifti-surface": Reader(
        _gifti_surface,
        lambda folder: read_own_surface(folder / "pial.gii", folder / "labels.gii"),
    ),
    "csv": Reader(_mrtrix, read_ready_connectome),
    "annot": Reader(
        _annotation, lambda folder: read_annotation(folder / "lh.aparc.annot", "ctx-lh-")
    ),
    "freesurfer-surface": Reader(
        _freesurfer_surface, lambda folder: read_surface(folder / "lh.pial", folder / "T1.mgz")
    ),
    "lookup": Reader(_text("lut.txt", _LOOKUP), lambda folder: read_lookup(folder / "lut.txt")),
    "label-table": Reader(
        _text("l.tsv", "index\tname\n1\tA left\n2\tA right\n"),
        lambda folder: read_label_table(folder / "l.tsv"),
    ),
    "settings": Reader(
        _text("c.yaml", (project_root() / "config/quick.yaml").read_text("utf-8")),
        lambda folder: read_yaml(folder / "c.yaml"),
    ),
    "priors": Reader(
        _text("p.yaml", (PRIORS_FOLDER / "default.yaml").read_text("utf-8")),
        lambda folder: load_priors(folder / "p.yaml"),
    ),
}


# ---- mutations --------------------------------------------------------------------------------


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Return content with one to four random changes."""
    for _ in range(int(rng.integers(1, 5))):
        content = _CHANGES[int(rng.integers(len(_CHANGES)))](content, rng)
    return content


def _place(content: bytes, rng: np.random.Generator) -> int:
    """Return a place, in half of the cases within the first 400 bytes: headers are there."""
    size = min(len(content), 400) if rng.random() < 0.5 else len(content)
    return int(rng.integers(size + 1))


def _flip(content: bytes, rng: np.random.Generator) -> bytes:
    raw = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        at = _place(content, rng)
        if at < len(raw):
            raw[at] = int(rng.integers(256))
    return bytes(raw)


def _truncate(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: _place(content, rng)]


def _cut(content: bytes, rng: np.random.Generator) -> bytes:
    first, last = sorted((_place(content, rng), _place(content, rng)))
    return content[:first] + content[last:]


def _repeat(content: bytes, rng: np.random.Generator) -> bytes:
    first, last = sorted((_place(content, rng), _place(content, rng)))
    return content[:last] + content[first:last] * int(rng.integers(1, 4)) + content[last:]


def _insert(content: bytes, rng: np.random.Generator) -> bytes:
    at = _place(content, rng)
    junk = _JUNK[int(rng.integers(len(_JUNK)))] * int(rng.integers(1, 20))
    return content[:at] + junk + content[at:]


def _number(content: bytes, rng: np.random.Generator) -> bytes:
    found = list(_NUMBER.finditer(content))
    if not found:
        return content
    match = found[int(rng.integers(len(found)))]
    value = _EXTREME[int(rng.integers(len(_EXTREME)))]
    if rng.random() < 0.5:  # the length of a field of fixed width is kept
        value = value[: len(match[0])].ljust(len(match[0]))
    return content[: match.start()] + value + content[match.end() :]


def _integer(content: bytes, rng: np.random.Generator) -> bytes:
    at = _place(content, rng)
    width, order = int(rng.choice([2, 4, 8])), str(rng.choice(["little", "big"]))
    value = _INTEGERS[int(rng.integers(len(_INTEGERS)))] % 2 ** (8 * width)
    return content[:at] + value.to_bytes(width, order) + content[at + width :]


def _empty(content: bytes, rng: np.random.Generator) -> bytes:
    return b"" if rng.random() < 0.2 else bytes(len(content))


_CHANGES = (_flip, _flip, _truncate, _cut, _repeat, _insert, _number, _number, _integer, _empty)


def mutate(path: Path, rng: np.random.Generator) -> None:
    """Mutate a file; in half of the cases what a compressed file contains, compressed again."""
    content = path.read_bytes()
    inside = rng.random() < 0.5
    if inside and path.suffix in (".gz", ".mgz"):
        content = gzip.compress(mutated(gzip.decompress(content), rng), 1)
    elif inside and path.suffix == ".zip":
        content = _mutated_zip(path, rng)
    else:
        content = mutated(content, rng)
    path.write_bytes(content)


def _mutated_zip(path: Path, rng: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(buffer, "w") as target:
        names = source.namelist()
        chosen = names[int(rng.integers(len(names)))]
        for name in names:
            content = source.read(name)
            target.writestr(name, mutated(content, rng) if name == chosen else content)
    return buffer.getvalue()


# ---- runs -------------------------------------------------------------------------------------


def fault_of(read: Callable[[Path], object], folder: Path) -> str:
    """Return what is wrong with how a reader reads a folder; empty: nothing."""
    started = time.process_time()
    before = signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, 2 * LIMIT_S)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()) as printed:
            warnings.simplefilter("ignore")
            with redirect_stdout(printed):
                read(folder)
    except VirtualBrainError as error:
        line = str(error)
        if not line.strip() or "\n" in line:
            return f"the message is not one line: {line!r}"
    except TooSlowError:
        return f"more than {2 * LIMIT_S:g} s"
    except BaseException as error:  # noqa: BLE001 - any other exception is what is searched
        where = traceback.extract_tb(error.__traceback__)[-1]
        ours = [
            one
            for one in traceback.extract_tb(error.__traceback__)
            if "virtualbrain/" in one.filename
        ]
        last = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
        name = f"{Path(where.filename).name}:{where.lineno}"
        return f"{type(error).__name__}: {str(error)[:100]} ({last}, {name})"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    spent = time.process_time() - started
    return f"{spent:.1f} s" if spent > LIMIT_S else ""


def run_reader(name: str, count: int, seed: int, folder: Path) -> int:
    """Read mutated files in a child process; print the failures and return their number.

    The child survives all but a crash of a library, which is a failure; a new child then goes on.
    """
    folder = folder / name
    folder.mkdir()
    paths = [path.relative_to(folder) for path in READERS[name].write(folder)]
    contents = {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    counts = mmap.mmap(-1, 16)  # shared with the child: present file, failures
    first = 0
    while first < count:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's idle threads are of no use to the child
            child = os.fork()
        if child == 0:
            try:
                for number in range(first, count):
                    _PAIR.pack_into(counts, 0, number, _PAIR.unpack_from(counts)[1])
                    rng = np.random.default_rng([seed, sum(name.encode()), number])
                    chosen = paths[int(rng.integers(len(paths)))]
                    found = _one_file(name, contents, chosen, folder / f"{number}", rng)
                    if found:
                        _report(Failure(name, number, str(chosen), found), counts)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            break
        number = _PAIR.unpack_from(counts)[0]
        killed = signal.Signals(os.WTERMSIG(status)).name
        _report(Failure(name, number, "", f"killed by {killed}"), counts)
        first = number + 1
    return int(_PAIR.unpack_from(counts)[1])


def _one_file(
    name: str, contents: dict[Path, bytes], chosen: Path, own: Path, rng: np.random.Generator
) -> str:
    """Write the valid files, mutate one of them, and return what is wrong with its reading."""
    for path, content in contents.items():
        (own / path).parent.mkdir(parents=True, exist_ok=True)
        (own / path).write_bytes(content)
    mutate(own / chosen, rng)
    found = fault_of(READERS[name].read, own)
    shutil.rmtree(own)
    return found


def _report(failure: Failure, counts: mmap.mmap) -> None:
    print(json.dumps(vars(failure)), flush=True)
    number, known = _PAIR.unpack_from(counts)
    _PAIR.pack_into(counts, 0, number, known + 1)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise TooSlowError


def limit_memory() -> None:
    """Limit the address space to its present size plus `LIMIT_BYTES`."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + LIMIT_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> int:
    """Read mutated files; print the failures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reader", nargs="*", default=list(READERS), choices=list(READERS))
    options = parser.parse_args()
    mne.set_log_level("error")
    found = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for reader in options.reader:  # imports on demand happen before the limit
            (folder / "first" / reader).mkdir(parents=True)
            READERS[reader].write(folder / "first" / reader)
            READERS[reader].read(folder / "first" / reader)
        limit_memory()
        for reader in options.reader:
            found += run_reader(reader, options.files, options.seed, folder)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
