"""Generate hostile and broken datasets from a valid one, with a seed."""

import gzip
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

Rng = np.random.Generator
CANARY = "canary"
COMMANDS = (
    "$(touch canary)",
    "`touch canary`",
    "';touch canary;'",
    '";touch canary;"',
    "|touch canary|",
    "&touch canary&",
    "\ntouch canary\n",
    "{label}",
    "{{ 7*7 }}",
    "<script>alert(1)<script>",
    "..\\..\\canary",
    "%s%n",
    "\u202egnp.exe",
    "a b",
)


@dataclass(frozen=True)
class Hostile:
    """A hostile dataset: its kind, its folder, and further arguments of the command."""

    name: str
    bids: Path
    arguments: tuple[str, ...] = ()


class _Pickled:
    """An object that writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, ("touch canary",)


def _pick(rng: Rng, choices: list[Path]) -> Path:
    return choices[int(rng.integers(len(choices)))]


def _command(rng: Rng, *, file_name: bool = True) -> str:
    text = COMMANDS[int(rng.integers(len(COMMANDS)))]
    return text.replace("/", "_") if file_name else text


def _tables(bids: Path) -> list[Path]:
    names = ("*_electrodes.tsv", "*_channels.tsv", "*_events.tsv")
    ready = sorted((bids / "derivatives/connectome").rglob("*.tsv"))
    return [*(path for name in names for path in sorted(bids.glob(f"sub-01/ieeg/{name}"))), *ready]


def _recording(bids: Path) -> Path:
    return next(iter(sorted(bids.glob("sub-01/ieeg/*_ieeg.edf"))))


def _ready(bids: Path) -> Path:
    return bids / "derivatives/connectome/sub-01"


def _cells(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text("utf-8").splitlines()]


def _write_cells(path: Path, cells: list[list[str]]) -> None:
    path.write_text("\n".join("\t".join(row) for row in cells) + "\n", "utf-8")


# ---- names ------------------------------------------------------------------------------


def label_that_is_a_command(bids: Path, rng: Rng) -> tuple[str, ...]:
    (bids / f"sub-02{_command(rng)}").mkdir()
    return ()


def label_argument_that_is_a_path(bids: Path, rng: Rng) -> tuple[str, ...]:
    step = "../" * int(rng.integers(1, 5))
    return ("--participant-label", step + str(rng.choice(["01", "etc/passwd", "out"])))


def recording_named_as_a_command(bids: Path, rng: Rng) -> tuple[str, ...]:
    path = _recording(bids)
    path.rename(path.with_name(f"sub-01_task-{_command(rng)}_ieeg.edf"))
    return ()


def table_named_as_a_command(bids: Path, rng: Rng) -> tuple[str, ...]:
    (path,) = bids.glob("sub-01/ieeg/*_electrodes.tsv")
    path.rename(path.with_name(f"sub-01_space-{_command(rng)}_electrodes.tsv"))
    return ()


def connectome_named_as_a_command(bids: Path, rng: Rng) -> tuple[str, ...]:
    for path in sorted(_ready(bids).iterdir()):
        path.rename(path.with_name(path.name.replace("DesikanKilliany", f"A{_command(rng)}")))
    return ()


def configuration_with_a_python_object(bids: Path, rng: Rng) -> tuple[str, ...]:
    path = bids.parent / "config.yaml"
    tag = str(rng.choice(["!!python/object/apply:os.system", "!!python/name:os.system"]))
    path.write_text(f"seed: {tag} ['touch canary']\n")
    return ("--config", str(path))


# ---- links, pipes and devices ----------------------------------------------------------


def link_out_of_the_folder(bids: Path, rng: Rng) -> tuple[str, ...]:
    inputs = [_recording(bids), *_tables(bids), *bids.glob("sub-01/ieeg/*_coordsystem.json")]
    path = _pick(rng, inputs)
    outside = bids.parent / "outside"
    outside.mkdir()
    shutil.move(path, outside / path.name)
    path.symlink_to(outside / path.name)
    return ()


def folder_that_is_a_link(bids: Path, rng: Rng) -> tuple[str, ...]:
    folder = _pick(rng, [bids / "sub-01/ieeg", bids / "sub-01", _ready(bids)])
    shutil.move(folder, bids.parent / "outside")
    folder.symlink_to(bids.parent / "outside", target_is_directory=True)
    return ()


def link_to_a_device(bids: Path, rng: Rng) -> tuple[str, ...]:
    path = _pick(rng, [_recording(bids), *_tables(bids)])
    path.unlink()
    path.symlink_to(str(rng.choice(["/dev/zero", "/dev/urandom", "/dev/stdin"])))
    return ()


def link_to_itself(bids: Path, rng: Rng) -> tuple[str, ...]:
    path = _pick(rng, [_recording(bids), *_tables(bids), bids / "sub-01/ieeg"])
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    path.symlink_to(path.name)
    return ()


def pipe_instead_of_a_file(bids: Path, rng: Rng) -> tuple[str, ...]:
    path = _pick(rng, [_recording(bids), *_tables(bids)])
    path.unlink()
    os.mkfifo(path)
    return ()


def folder_instead_of_a_file(bids: Path, rng: Rng) -> tuple[str, ...]:
    path = _pick(rng, [_recording(bids), *_tables(bids)])
    path.unlink()
    path.mkdir()
    return ()


def header_that_points_elsewhere(bids: Path, rng: Rng) -> tuple[str, ...]:
    edf = _recording(bids)
    target = str(rng.choice(["/etc/passwd", "../../../outside.eeg", "../../../../../etc/hosts"]))
    (bids.parent / "outside.eeg").write_bytes(bytes(400_000))
    stem = edf.name.removesuffix(".edf")
    lines = [
        "Brain Vision Data Exchange Header File Version 1.0",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={target}",
        f"MarkerFile={stem}.vmrk",
        "DataFormat=BINARY",
        "DataOrientation=MULTIPLEXED",
        "NumberOfChannels=1",
        "SamplingInterval=2000",
        "[Binary Infos]",
        "BinaryFormat=INT_16",
        "[Channel Infos]",
        "Ch1=A1,,0.1,µV",
    ]
    edf.with_suffix(".vhdr").write_text("\n".join(lines) + "\n", "utf-8")
    marks = "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\n"
    edf.with_suffix(".vmrk").write_text(marks + f"DataFile={target}\n[Marker Infos]\n")
    edf.unlink()
    return ()


# ---- false sizes -----------------------------------------------------------------------


def _nifti_header(shape: tuple[int, ...], kind: str) -> bytes:
    header = nib.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(kind)
    header.set_sform(np.eye(4), code=1)
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    return bytes(header.binaryblock) + bytes(4)


def image_with_a_huge_header(bids: Path, rng: Rng) -> tuple[str, ...]:
    shutil.rmtree(_ready(bids))
    side = int(rng.integers(3000, 32000))
    raw = _nifti_header((side, side, side), str(rng.choice(["u1", "i2", "f4"]))) + bytes(1000)
    folder = bids / "sub-01/anat"
    folder.mkdir()
    if rng.random() < 0.5:
        (folder / "sub-01_T1w.nii").write_bytes(raw)
    else:
        (folder / "sub-01_T1w.nii.gz").write_bytes(gzip.compress(raw))
    return ()


def image_that_is_a_bomb(bids: Path, rng: Rng) -> tuple[str, ...]:
    shutil.rmtree(_ready(bids))
    folder = bids / "sub-01/anat"
    folder.mkdir()
    side = 1000
    with gzip.open(folder / "sub-01_T1w.nii.gz", "wb", compresslevel=1) as stream:
        stream.write(_nifti_header((side, side, side), "f4"))
        block = bytes(1 << 24)
        for _ in range(int(rng.integers(8, 14))):
            stream.write(block)
    return ()


def diffusion_that_is_a_bomb(bids: Path, rng: Rng) -> tuple[str, ...]:
    shutil.rmtree(_ready(bids))
    folder = bids / "sub-01/dwi"
    folder.mkdir()
    n = int(rng.integers(60, 400))
    raw = _nifti_header((512, 512, 300, n), "f4") + bytes(100_000)
    (folder / "sub-01_dwi.nii.gz").write_bytes(gzip.compress(raw))
    (folder / "sub-01_dwi.bval").write_text("0 " + "1000 " * (n - 1))
    (folder / "sub-01_dwi.bvec").write_text("\n".join(" ".join(["0.577"] * n) for _ in range(3)))
    return ()


def recording_with_a_huge_header(bids: Path, rng: Rng) -> tuple[str, ...]:
    path = _recording(bids)
    raw = bytearray(path.read_bytes()[:5000])
    field = int(rng.integers(3))
    if field == 0:
        raw[252:256] = b"9999"  # signals
    elif field == 1:
        raw[236:244] = b"99999999"  # records
    else:
        raw[184:192] = b"99999999"  # bytes of header
    path.write_bytes(bytes(raw))
    return ()


def zip_bomb(bids: Path, rng: Rng) -> tuple[str, ...]:
    folder = _ready(bids)
    shutil.rmtree(folder)
    folder.mkdir()
    names = ["weights.txt", "tract_lengths.txt", "centres.txt"]
    if rng.random() < 0.3:
        names[0] = "../../../" + CANARY
    with zipfile.ZipFile(folder / "connectivity.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            with archive.open(name, "w", force_zip64=True) as stream:
                for _ in range(int(rng.integers(10, 20))):
                    stream.write(b"0 " * (1 << 23))
    return ()


def table_of_one_endless_line(bids: Path, rng: Rng) -> tuple[str, ...]:
    path = _pick(rng, _tables(bids))
    with path.open("ab") as stream:
        for _ in range(6):
            stream.write(b"x" * (10 << 20))
    return ()


def json_too_deep_or_too_long(bids: Path, rng: Rng) -> tuple[str, ...]:
    path = next(bids.glob("sub-01/ieeg/*_coordsystem.json"))
    path.write_text(
        str(rng.choice(["[" * 200_000, '{"a":' * 100_000, '{"iEEGCoordinateUnits": ' + "9" * 9000]))
        + "}"
    )
    return ()


# ---- contents ---------------------------------------------------------------------------


def not_a_number(bids: Path, rng: Rng) -> tuple[str, ...]:
    ready = sorted(_ready(bids).glob("*_relmat.tsv"))
    path = _pick(rng, ready)
    cells = _cells(path)
    row, column = (int(v) for v in rng.integers(1, len(cells), 2))
    bad = str(rng.choice(["nan", "inf", "-inf", "1e999", "-3", "0x10", "$(touch canary)", ""]))
    cells[row][column] = bad
    _write_cells(path, cells)
    return ()


def contacts_nowhere(bids: Path, rng: Rng) -> tuple[str, ...]:
    (path,) = bids.glob("sub-01/ieeg/*_electrodes.tsv")
    cells = _cells(path)
    bad = str(rng.choice(["nan", "inf", "1e308", "left", "=cmd|' /C calc'!A0"]))
    for row in cells[1:]:
        row[1] = bad
    _write_cells(path, cells)
    return ()


def empty_file(bids: Path, rng: Rng) -> tuple[str, ...]:
    coordinates = next(bids.glob("sub-01/ieeg/*_coordsystem.json"))
    _pick(rng, [_recording(bids), *_tables(bids), coordinates]).write_bytes(b"")
    return ()


def wrong_encoding(bids: Path, rng: Rng) -> tuple[str, ...]:
    path = _pick(rng, _tables(bids))
    text = path.read_text("utf-8")
    coding = str(rng.choice(["utf-16", "utf-32", "latin-1", "zeros"]))
    if coding == "zeros":
        path.write_bytes(text.encode().replace(b"\t", b"\0"))
    else:
        path.write_bytes((text + "\u00e9\u00fc\t\n").encode(coding))
    return ()


def cut_short(bids: Path, rng: Rng) -> tuple[str, ...]:
    path = _pick(rng, [_recording(bids), *sorted(_ready(bids).glob("*_relmat.tsv"))])
    content = path.read_bytes()
    path.write_bytes(content[: int(rng.integers(1, min(len(content) // 2, 4000)))])
    return ()


def random_bytes(bids: Path, rng: Rng) -> tuple[str, ...]:
    _pick(rng, [_recording(bids), *_tables(bids)]).write_bytes(rng.bytes(20_000))
    return ()


def pickle_instead_of_data(bids: Path, rng: Rng) -> tuple[str, ...]:
    folder = _ready(bids)
    kind = str(rng.choice(["connectivity.zip", "sub-01_CM.mat", "sub-01_weights.csv", "edf"]))
    if kind == "edf":
        _recording(bids).write_bytes(pickle.dumps(_Pickled()))
        return ()
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / kind).write_bytes(pickle.dumps(_Pickled()))
    return ()


def participants_table(bids: Path, rng: Rng) -> tuple[str, ...]:
    path = bids / "participants.tsv"
    choice = int(rng.integers(4))
    if choice == 0:
        path.write_bytes("participant_id\tage\nsub-01\té\n".encode("utf-16"))
    elif choice == 1:
        path.write_text("name\nsub-01\n")
    elif choice == 2:
        path.write_text(f"participant_id\n{_command(rng, file_name=False)}\n")
    else:
        path.write_bytes(b"")
    return ()


def invalid_onset(bids: Path, rng: Rng) -> tuple[str, ...]:
    (path,) = bids.glob("sub-01/ieeg/*_events.tsv")
    cells = _cells(path)
    bad = str(rng.choice(["nan", "-1e9", "1e300", "inf", "$(touch canary)"]))
    for row in cells[1:]:
        row[cells[0].index("onset")] = bad
    _write_cells(path, cells)
    return ()


def duplicate_names(bids: Path, rng: Rng) -> tuple[str, ...]:
    path = _pick(rng, [p for p in _tables(bids) if "_events" not in p.name])
    cells = _cells(path)
    column = cells[0].index("name")
    for row in cells[1:]:
        row[column] = cells[1][column]
    _write_cells(path, cells)
    return ()


KINDS: tuple[Callable[[Path, Rng], tuple[str, ...]], ...] = (
    label_that_is_a_command,
    label_argument_that_is_a_path,
    recording_named_as_a_command,
    table_named_as_a_command,
    connectome_named_as_a_command,
    configuration_with_a_python_object,
    link_out_of_the_folder,
    folder_that_is_a_link,
    link_to_a_device,
    link_to_itself,
    pipe_instead_of_a_file,
    folder_instead_of_a_file,
    header_that_points_elsewhere,
    image_with_a_huge_header,
    image_that_is_a_bomb,
    diffusion_that_is_a_bomb,
    recording_with_a_huge_header,
    zip_bomb,
    table_of_one_endless_line,
    json_too_deep_or_too_long,
    not_a_number,
    contacts_nowhere,
    empty_file,
    wrong_encoding,
    cut_short,
    random_bytes,
    pickle_instead_of_data,
    participants_table,
    invalid_onset,
    duplicate_names,
)


def hostile_folders(good: Path, parent: Path, count: int, seed: int) -> Iterator[Hostile]:
    """Yield hostile datasets of every kind in turn, each in a separate folder."""
    for number, stream in enumerate(np.random.default_rng(seed).spawn(count)):
        kind = KINDS[number % len(KINDS)]
        folder = parent / f"{number:03d}"
        bids = folder / "bids"
        shutil.copytree(good, bids, ignore=shutil.ignore_patterns("truth"))
        yield Hostile(f"{number:03d}-{kind.__name__}", bids, kind(bids, stream))


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of everything below a folder, by name."""
    found = {}
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            status = os.lstat(Path(path) / name)
            times = 0 if name in folders else status.st_mtime_ns
            found[os.path.relpath(Path(path) / name, folder)] = (status.st_size, times)
    return found
