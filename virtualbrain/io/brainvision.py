"""Read the files, channel names and units that a BrainVision header states."""

import re
from dataclasses import dataclass
from pathlib import Path

from virtualbrain.errors import InputError
from virtualbrain.io.text import read_text

_MISPRINTS = str.maketrans({"Â": "", "\x01": ","})


@dataclass(frozen=True)
class BrainVision:
    """Content of a header: the signal and marker files that are read, channels, units, notes."""

    signal: Path
    markers: Path | None
    names: tuple[str, ...]
    units: tuple[str, ...]
    notes: tuple[str, ...]


def read_brainvision(header: Path) -> BrainVision:
    """Read a header and choose the files that belong to it.

    Files are often renamed without their header. A file of the header's own name is used where
    the file that the header names does not exist. A header that names an existing file of
    another name is refused: it would read another recording.

    Raises
    ------
    InputError
        The header names a file of another folder or of another recording, or there is no signal.
    """
    values, channels = _parse(read_text(header))
    notes: list[str] = []
    signal = _own_part(header, "DataFile", values.get("datafile", ""), ".eeg", notes)
    if signal is None:
        raise InputError(
            "the signal file is missing, so that the recording cannot be read",
            where=header.name,
            expected=f"the file {header.stem}.eeg beside the header",
            hint="copy all files of the recording into the dataset",
        )
    markers = _own_part(header, "MarkerFile", values.get("markerfile", ""), ".vmrk", notes)
    cells = [[*channel.split(","), "", "", ""][:4] for channel in channels]
    return BrainVision(
        signal=signal,
        markers=markers,
        names=tuple(cell[0].replace(r"\1", ",") for cell in cells),
        units=tuple(cell[3].strip().translate(_MISPRINTS) or "µV" for cell in cells),
        notes=tuple(notes),
    )


def numbered_header(header: Path) -> str:
    """Return a header in UTF-8 whose channels are named by their numbers, without the comments.

    MNE cannot open a header in which two channels have one name, nor one in UTF-16.
    """
    lines = []
    section = ""
    for line in re.sub(r"(?im)^codepage\s*=.*$", "Codepage=UTF-8", read_text(header)).splitlines():
        heading = re.match(r"\s*\[(.+)\]", line)
        section = heading[1].strip().casefold() if heading else section
        if section == "comment":
            break
        if section == "channel infos":
            line = re.sub(r"(?i)^(\s*ch(\d+)\s*=)[^,]*", r"\1\2", line)
        lines.append(line)
    return "\n".join(lines) + "\n"


def _parse(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the keys of [Common Infos], and the channels of [Channel Infos] in their order."""
    section = ""
    values: dict[str, str] = {}
    channels: dict[int, str] = {}
    for line in text.splitlines():
        heading = re.match(r"\s*\[(.+)\]", line)
        if heading:
            section = heading[1].strip().casefold()
            if section == "comment":
                break
        key, found, value = line.partition("=")
        if not found or line.startswith(";"):
            continue
        key = key.strip().casefold()
        if section == "common infos":
            values[key] = value.strip()
        elif section == "channel infos" and (number := re.fullmatch(r"ch(\d+)", key)):
            channels[int(number[1])] = value
    return values, [channels[number] for number in sorted(channels)]


def _own_part(header: Path, key: str, stated: str, ending: str, notes: list[str]) -> Path | None:
    """Return the signal or marker file of a header; None if there is none."""
    name = stated.replace("$b", header.stem)
    if Path(name).name != name or "\\" in name:
        raise InputError(
            f"{key} names a file of another folder",
            where=header.name,
            expected="a file in the folder of the header",
            hint="enter the file name without a folder, and put the file beside the header",
        )
    own = header.with_suffix(ending)
    if not own.is_file() and own.with_suffix(ending.upper()).is_file():
        own = own.with_suffix(ending.upper())
    stated_file = header.with_name(name) if name else own
    if stated_file.stem == header.stem and stated_file.is_file():
        return stated_file  # the ending may be .dat
    if name in ("", own.name):
        return own if own.is_file() else None
    if header.with_name(name).is_file():
        others = f", although {own.name} exists" if own.is_file() else ""
        raise InputError(
            f"{key} names {name}, a file of another name{others}",
            where=header.name,
            expected=f"{key}={own.name}",
            hint=f"correct {key} in the header; rename {name} first if it belongs to this header",
        )
    if own.is_file():
        notes.append(f"{header.name}: {key} names {name}, which does not exist; read {own.name}")
        return own
    return None
