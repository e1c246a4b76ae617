"""Find a patient's files in a BIDS dataset, and choose which are meant if there are several.

The rules, in this order (docs/inputs.md): what the user says (sessions, filters); what a sidecar
names (IntendedFor); the session of the recording; a coordinate frame that can be used before a
template; the newest session before surgery. If they do not decide, the user is asked.
"""

import filecmp
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.atomic import read_json
from virtualbrain.io.bids import (
    READABLE_SUFFIXES,
    RECORDING_SUFFIXES,
    DwiSeries,
    EpiImage,
    PatientFiles,
    Recording,
    check_label,
    json_beside,
    participants,
    require_dataset,
    signal_parts,
)
from virtualbrain.io.coordsystem import frame_of, is_mni152
from virtualbrain.io.file_settings import FileSettings, entities, session_of
from virtualbrain.io.mark_words import mentions_seizure
from virtualbrain.io.safe_files import FileGuard, visible
from virtualbrain.io.sessions import is_after_surgery, newest_before_surgery, session_times
from virtualbrain.io.tables import read_table

_IMAGE_ENDINGS = (".nii", ".nii.gz")
_FRAMES = ("scanner", "tkras", "acpc")
"""Frames of contacts, the first that is available is used."""


def find_patient(
    bids: Path | str, label: str, settings: FileSettings | None = None
) -> PatientFiles:
    """Find all input files of a participant.

    Parameters
    ----------
    bids : Path or str
        Root of the BIDS dataset.
    label : str
        The participant, with or without ``sub-``.
    settings : FileSettings, optional
        What the user says about sessions, files and links.

    Raises
    ------
    InputError
        The participant does not exist, the label is a path, the rules do not decide between
        several files, or a file is not safe to read (`virtualbrain.io.safe_files`).
    """
    files, problems = search_patient(bids, label, settings)
    if problems:
        raise problems[0]
    return files


def search_patient(
    bids: Path | str, label: str, settings: FileSettings | None = None
) -> tuple[PatientFiles, list[VirtualBrainError]]:
    """Return the files of a participant and every problem of finding them; see `find_patient`.

    Raises
    ------
    InputError
        The participant does not exist, or the label is a path.
    """
    root = require_dataset(bids)
    label = check_label(label)
    settings = settings or FileSettings()
    guard = FileGuard(root, settings.outside_links)
    folder = root / f"sub-{label}"
    if folder.is_symlink() and guard.place(folder) is None:
        raise guard.problems()[0]
    if not folder.is_dir():
        raise InputError(
            f"no participant sub-{label}",
            where=str(root),
            expected="one of " + ", ".join(f"sub-{name}" for name in participants(root)),
            hint="check the participant label",
        )
    search = _Search(root, label, settings, guard)
    files = search.files()
    return files, [*guard.problems(), *search.problems]


@dataclass(frozen=True)
class _Contacts:
    """One electrodes.tsv with its coordsystem.json."""

    table: Path
    coordsystem: Path | None
    in_template: bool = False

    @property
    def frame_rank(self) -> int:
        """Place of the coordinate frame in `_FRAMES`; frames that cannot be used are last.

        In the template, only MNI152 can be used.
        """
        if self.in_template:
            return 0 if is_mni152(_json(self.coordsystem)) else len(_FRAMES)
        frame = frame_of(_json(self.coordsystem))
        return _FRAMES.index(frame) if frame in _FRAMES else len(_FRAMES)


@dataclass
class _Search:
    """The search for one participant's files; it collects questions and notes."""

    root: Path
    label: str
    settings: FileSettings
    guard: FileGuard
    problems: list[VirtualBrainError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The participant's folder."""
        return self.root / f"sub-{self.label}"

    def files(self) -> PatientFiles:
        """Return the chosen files."""
        self._check_sessions()
        derivatives = self.root / "derivatives"
        connectome = self._derivative("connectome")
        recordings = self._recordings()
        template = connectome is None and self._uses_template()
        contacts = self._contacts(recordings, template=template)
        recordings = self._of_contacts(recordings, contacts)
        t1 = None if template else self._t1(contacts, recordings, needed=connectome is None)
        near = session_of(t1) if t1 is not None else ""
        dwi = () if template else self._dwi(near, needed=connectome is None)
        lesions = [
            *self._list("anat", "*_label-lesion_mask.nii*"),
            *derivatives.glob(f"*/sub-{self.label}/anat/*_label-lesion_mask.nii*"),
            *derivatives.glob(f"*/sub-{self.label}/ses-*/anat/*_label-lesion_mask.nii*"),
        ]
        clinical = self._clinical()
        self.guard.files(clinical.glob("*_mask.nii*"))  # those that plans may name
        resected = [
            *self._images(clinical.glob("*_desc-resected_mask.nii*"), "resected"),
            *filter(None, [self.guard.file(clinical / f"sub-{self.label}_resected.tsv")]),
        ]
        return PatientFiles(
            bids=self.root,
            label=self.label,
            t1=t1,
            dwi=dwi,
            recordings=tuple(recordings),
            electrodes=contacts.table if contacts else None,
            coordsystem=contacts.coordsystem if contacts else self._coordsystem_alone(),
            freesurfer=None if template else self._freesurfer(near),
            connectome=connectome,
            hypothesis=self.guard.file(clinical / f"sub-{self.label}_hypothesis.tsv"),
            eloquent=self.guard.file(clinical / f"sub-{self.label}_eloquent.tsv"),
            plans=self.guard.file(clinical / f"sub-{self.label}_plans.tsv"),
            resected=self._only(resected, "performed resection", "resected"),
            channel_tables=self._channels_alone(recordings, contacts),
            lesion=None
            if template
            else self._only(
                _preferred(self._images(lesions, "lesion"), lambda path: session_of(path) == near),
                "lesion mask",
                "lesion",
            ),
            epi=self._epi_images(dwi),
            atlas=self.settings.atlas(),
            uses_template=template,
            notes=tuple(self.notes),
        )

    # ---- listing ------------------------------------------------------------------------

    def _list(self, kind: str, pattern: str) -> list[Path]:
        """Return the files of one data type, with or without session folders."""
        places = (f"{kind}/{pattern}", f"ses-*/{kind}/{pattern}")
        found = [path for place in places for path in self.folder.glob(place)]
        return visible(found)

    def _accepted(self, paths: Iterable[Path], group: str) -> list[Path]:
        """Return the safe files that the user's sessions and filters accept."""
        return self._filtered(self.guard.files(paths), group)

    def _filtered(self, listed: Sequence[Path], group: str) -> list[Path]:
        """Return the files that the user accepts; report a filter that accepts none."""
        accepted = [path for path in listed if self.settings.accepts(path, group)]
        if listed and not accepted and self.settings.sessions:
            self.notes.append(f"{_named(listed)}: not used (of another session than --session)")
        if listed and not accepted and group in self.settings.filters:
            self.problems.append(
                InputError(
                    f"the filter for {group} accepts none of {len(listed)} files",
                    where=_named(listed),
                    expected="a filter that accepts at least one file",
                    hint="correct files.filters or the filter file",
                )
            )
        return accepted

    def _images(self, paths: Iterable[Path], group: str) -> list[Path]:
        """Return the accepted images that hold magnitudes."""
        images = [path for path in paths if path.name.endswith(_IMAGE_ENDINGS)]
        return [
            path
            for path in self._accepted(images, group)
            if entities(path).get("part", "mag") == "mag"
        ]

    def _check_sessions(self) -> None:
        """Report if none of the user's sessions exists."""
        known = sorted(path.name[4:] for path in self.folder.glob("ses-*") if path.is_dir())
        if self.settings.sessions and known and not set(known) & set(self.settings.sessions):
            self.problems.append(
                InputError(
                    f"no session {', '.join(self.settings.sessions)}",
                    where=f"sub-{self.label}",
                    expected=f"one or more of {', '.join(known)}",
                    hint="correct --session",
                )
            )

    def _derivative(self, kind: str) -> Path | None:
        """Return the patient's folder of a derivative, named with or without ``sub-``."""
        parent = self.root / "derivatives" / kind
        found = [
            folder
            for name in (f"sub-{self.label}", self.label)
            if (folder := self.guard.folder(parent / name)) is not None
        ]
        return self._only(found, f"folder {kind} of the patient", "")

    def _clinical(self) -> Path:
        parent = self.root / "derivatives" / "clinical"
        bare = parent / self.label
        return bare if bare.is_dir() else parent / f"sub-{self.label}"

    def _uses_template(self) -> bool:
        """Whether the anatomy is that of the template; note which images are then left out.

        It is if the user says so, or if there is no MRI and every coordsystem.json states MNI152.
        """
        parent = self.root / "derivatives" / "freesurfer"
        names = (f"sub-{self.label}", self.label)
        subjects = [path for one in names for path in (parent / one, *parent.glob(f"{one}_ses-*"))]
        mri = [*self._list("anat", "*_T1w.nii*"), *filter(_is_there, subjects)]
        if not self.settings.template:
            systems = self._systems()
            if mri or not systems or not all(is_mni152(_json(path)) for path in systems):
                return False
        unused = [*mri, *self._list("dwi", "*_dwi.nii*")]
        if unused:
            why = "files.template" if self.settings.template else "no T1w image"
            self.notes.append(f"{_named(unused)}: not used ({why}: the template's anatomy)")
        return True

    # ---- choosing -----------------------------------------------------------------------

    def _only(self, paths: Sequence[Path], what: str, group: str) -> Path | None:
        """Return the only path, or None; ask if there are several with different content."""
        if len(paths) > 1 and not _all_equal(paths):
            self.problems.append(_question(paths, what, group))
        return paths[0] if paths else None

    def _note_choice(self, chosen: Iterable[Path], among: Iterable[Path], why: str) -> None:
        """Note which of several files were chosen and why."""
        chosen = list(chosen)
        others = [path for path in among if path not in chosen]
        if chosen and others:
            self.notes.append(f"{_named(chosen)}: {why}; not used: {_named(others)}")

    def _newest(self, paths: Sequence[Path]) -> list[Path]:
        """Return the files of the newest session before surgery; all if it is not known."""
        sessions = {session_of(path) for path in paths}
        if len(sessions) < 2 or "" in sessions:
            return list(paths)
        newest = self._newest_session(sessions)
        return [path for path in paths if newest in (None, session_of(path))]

    def _newest_session(self, sessions: Iterable[str]) -> str | None:
        sheet = self.guard.file(self.folder / f"sub-{self.label}_sessions.tsv")
        try:
            times = session_times(self.folder, self.label) if sheet is not None else {}
        except InputError as error:
            self.problems.append(error)
            return None
        return newest_before_surgery(sessions, times)

    def _t1(
        self, contacts: _Contacts | None, recordings: Sequence[Recording], *, needed: bool
    ) -> Path | None:
        """Choose the T1w image; with a ready connectome an undecided one is left out."""
        found = self._images(self._list("anat", "*_T1w.nii*"), "t1w")
        named = _listed(contacts.coordsystem if contacts else None, "IntendedFor")
        named = [name for name in named if name.endswith(tuple(f"_T1w{e}" for e in _IMAGE_ENDINGS))]
        intended = [path for path in found if any(_is_named(path, name) for name in named)]
        if named and found and not intended:
            line = f"IntendedFor of {_name(contacts)} names {named[0]}, which is not in the dataset"
            if len(found) > 1:
                return self._undecided_t1(found, needed, line)
            self.notes.append(f"{line}; used: {found[0].name}")
        own = {session_of(contacts.table)} - {""} if contacts is not None else set()
        own = own or {session_of(one.signal) for one in recordings} - {""}
        steps: tuple[tuple[str, Callable[[list[Path]], list[Path]]], ...] = (
            ("named by IntendedFor", lambda paths: [p for p in paths if p in intended] or paths),
            ("session of the recording", lambda paths: _in_sessions(paths, own)),
            ("newest session before surgery", self._newest),
        )
        left = found
        for why, step in steps:
            narrowed = step(left)
            if len(narrowed) == 1 < len(left):
                self._note_choice(narrowed, found, why)
            left = narrowed
        if len(left) > 1 and not _all_equal(left):
            return self._undecided_t1(left, needed, "")
        return left[0] if left else None

    def _undecided_t1(self, paths: list[Path], needed: bool, line: str) -> Path | None:
        """Ask for the T1w image if it is needed; else leave it out with a note."""
        question = _question(paths, "T1w image", "t1w", line)
        if needed:
            self.problems.append(question)
        else:
            self.notes.append(f"no T1w image used ({question.what}; the connectome is ready)")
        return None

    def _dwi(self, near: str, *, needed: bool) -> tuple[DwiSeries, ...]:
        """Choose the diffusion series: those of one session."""
        found = self._images(self._list("dwi", "*_dwi.nii*"), "dwi")
        left = self._newest(_in_sessions(found, {near} - {""}))
        if len({session_of(path) for path in left}) > 1:
            if needed:
                self.problems.append(_question(left, "diffusion series of one session", "dwi"))
            return ()
        self._note_choice(left, found, "diffusion series of one session")
        return tuple(self._series(image) for image in left)

    def _series(self, image: Path) -> DwiSeries:
        bval, bvec = _beside(image, ".bval"), _beside(image, ".bvec")
        return DwiSeries(
            image=image,
            bval=self.guard.file(bval) or bval,
            bvec=self.guard.file(bvec) or bvec,
            sidecar=self.guard.file(json_beside(image)),
        )

    def _epi_images(self, dwi: Iterable[DwiSeries]) -> tuple[EpiImage, ...]:
        """Return the images of fmap/ whose sidecar names a diffusion series of this patient."""
        names = {one.image.name for one in dwi}
        sources = {name for one in dwi for name in _listed(one.sidecar, "B0FieldSource")}
        found = []
        for image in self._images(self._list("fmap", "*_epi.nii*"), "fmap"):
            sidecar = self.guard.file(json_beside(image))
            intended = {target.rpartition("/")[2] for target in _listed(sidecar, "IntendedFor")}
            shared = sources & set(_listed(sidecar, "B0FieldIdentifier"))
            if sidecar is not None and (intended & names or shared):
                found.append(EpiImage(image, sidecar))
        return tuple(found)

    def _freesurfer(self, near: str) -> Path | None:
        """Choose the FreeSurfer subject: sub-01, 01, or one folder for each session."""
        parent = self.root / "derivatives" / "freesurfer"
        names = (f"sub-{self.label}", self.label)
        whole = [parent / name for name in names if (parent / name / "mri").is_dir()]
        by_session = [
            path
            for name in names
            for pattern in (f"{name}_ses-*", f"{name}/ses-*")
            for path in sorted(parent.glob(pattern))
            if (path / "mri").is_dir()
        ]
        listed = whole or by_session or [parent / n for n in names if (parent / n).is_dir()]
        links = [parent / name for name in names if (parent / name).is_symlink()]
        for path in links:
            self.guard.place(path)
        left = listed
        if len(left) > 1 and not whole:
            left = _preferred(left, lambda path: path.name.rpartition("ses-")[2] == near)
        if len(left) > 1:
            self.problems.append(_question(left, "FreeSurfer subject", ""))
            return None
        self._note_choice(left, listed, "FreeSurfer subject of the session of the T1w image")
        return self.guard.folder(left[0], any_name=True) if left else None

    # ---- recordings and contacts --------------------------------------------------------

    def _recordings(self) -> list[Recording]:
        """List the recordings that can be used, with channels.tsv and events.tsv.

        Of a recording in several formats, one that can be read is used. One that cannot be read
        is kept only if its events.tsv may mark a seizure; its check then asks to convert it.
        """
        order = {suffix: rank for rank, suffix in enumerate(RECORDING_SUFFIXES)}
        listed = [p for p in self._list("ieeg", "*_ieeg.*") if p.suffix.lower() in order]
        by_stem: dict[Path, list[Path]] = {}
        for path in self._filtered(listed, "ieeg"):
            by_stem.setdefault(path.with_name(path.name.split("_ieeg.")[0]), []).append(path)
        found = []
        for stem, paths in by_stem.items():
            signal = min(paths, key=lambda path: order[path.suffix.lower()])
            events = self.guard.file(stem.with_name(stem.name + "_events.tsv"))
            is_readable = signal.suffix.lower() in READABLE_SUFFIXES
            if is_readable and signal.is_dir() and events is None:
                self.notes.append(f"{signal.name}: not used (a folder)")
                continue
            if not is_readable:
                if events is None or not (signal.is_file() or self.guard.place(signal)):
                    self.notes.append(f"{signal.name}: not used (format {signal.suffix})")
                    continue
            elif not all(self.guard.file(part) for part in signal_parts(signal) if _is_there(part)):
                continue
            self._note_choice([signal], paths, "recording in several formats")
            channels = self.guard.file(stem.with_name(stem.name + "_channels.tsv"))
            self.guard.file(json_beside(signal))
            found.append(Recording(signal=signal, channels=channels, events=events))
        return self._without_copies(self._before_surgery(found))

    def _without_copies(self, recordings: list[Recording]) -> list[Recording]:
        """Leave out recordings of the same signal: a seizure must not be counted twice.

        The one whose events.tsv may mark a seizure is kept. If several do, in different ways, the
        user is asked.
        """
        left: list[Recording] = []
        samples: dict[Path, Path | None] = {}
        for one in recordings:
            own = samples[one.signal] = _samples_of(one.signal)
            other = next((r for r in left if _same_content(own, samples[r.signal])), None)
            if other is None:
                left.append(one)
                continue
            pair = [other.signal, one.signal]
            marked = [r for r in (other, one) if _mentions_a_seizure(r)]
            if len(marked) == 2 and not _all_equal([r.events for r in marked if r.events]):
                why = "the same signal, but other seizures in events.tsv"
                self.problems.append(_question(pair, "recording", "ieeg", why))
                continue
            kept = marked[0] if marked else other
            left[left.index(other)] = kept
            self._note_choice([kept.signal], pair, "the same signal in two recordings")
        return left

    def _before_surgery(self, recordings: list[Recording]) -> list[Recording]:
        """Leave out the recordings of sessions after surgery if there are others."""
        left = _preferred(recordings, lambda one: not is_after_surgery(session_of(one.signal)))
        signals = [one.signal for one in recordings]
        self._note_choice([one.signal for one in left], signals, "recordings before surgery")
        return left

    def _contacts(self, recordings: Sequence[Recording], *, template: bool) -> _Contacts | None:
        """Choose electrodes.tsv and its coordsystem.json."""
        tables = self._accepted(self._list("ieeg", "*_electrodes.tsv"), "electrodes")
        systems = self._systems()
        found = [_Contacts(path, _system_of(path, systems, tables), template) for path in tables]
        marked = _preferred(recordings, _mentions_a_seizure)
        own = {session_of(one.signal) for one in marked}
        left = _preferred(found, lambda one: session_of(one.table) in own - {""})
        for why, step in (
            ("contacts of the session of the recording", lambda rows: rows),
            ("coordinate frame that can be used", _best_frame),
            (
                "entities of the recording",
                lambda rows: _preferred(rows, lambda one: _fits(one.table, recordings)),
            ),
            ("newest session before surgery", self._newest_contacts),
        ):
            narrowed = step(left)
            if len(narrowed) < len(found) and len(narrowed) == 1:
                self._note_choice([narrowed[0].table], tables, why)
                return narrowed[0]
            left = narrowed
        if len(left) > 1 and not _all_equal([one.table for one in left]):
            is_usable = left[0].frame_rank < len(_FRAMES)
            why = "" if is_usable else "no coordinate frame that can be used"
            tables = [one.table for one in left]
            self.problems.append(_question(tables, "electrodes.tsv", "electrodes", why))
            return None
        return left[0] if left else None

    def _systems(self) -> list[Path]:
        """Return every coordsystem.json, also of the patient's folder and of the dataset."""
        above = [*self.folder.glob("*_coordsystem.json"), *self.root.glob("*coordsystem.json")]
        return self.guard.files([*self._list("ieeg", "*_coordsystem.json"), *visible(above)])

    def _newest_contacts(self, rows: list[_Contacts]) -> list[_Contacts]:
        tables = self._newest([one.table for one in rows])
        return [one for one in rows if one.table in tables]

    def _of_contacts(
        self, recordings: list[Recording], contacts: _Contacts | None
    ) -> list[Recording]:
        """Leave out recordings of sessions that have contacts of their own."""
        if contacts is None or not session_of(contacts.table):
            return recordings
        tables = self.guard.files(self._list("ieeg", "*_electrodes.tsv"))
        equal = [path for path in tables if _all_equal([path, contacts.table])]
        other = {session_of(path) for path in tables if path not in equal}
        other -= {session_of(path) for path in (contacts.table, *equal)}
        left = [one for one in recordings if session_of(one.signal) not in other - {""}]
        signals = [one.signal for one in recordings]
        self._note_choice([one.signal for one in left], signals, "recordings with these contacts")
        return left

    def _channels_alone(
        self, recordings: Sequence[Recording], contacts: _Contacts | None
    ) -> tuple[Path, ...]:
        """Return the channels.tsv that belong to no recording, of the session of the contacts."""
        own = {one.channels for one in recordings}
        session = session_of(contacts.table) if contacts is not None else ""
        alone = [
            path
            for path in self._list("ieeg", "*_channels.tsv")
            if path not in own
            and self.settings.accepts(path, "ieeg")
            and session_of(path) in ({session, ""} if session else {session_of(path)})
            and not is_after_surgery(session_of(path))
        ]
        return tuple(self.guard.files(alone))

    def _coordsystem_alone(self) -> Path | None:
        """Return the coordsystem.json of a dataset without electrodes.tsv."""
        found = self._systems()
        return found[0] if len(found) == 1 else None


def _mentions_a_seizure(recording: Recording) -> bool:
    """Whether the events.tsv of a recording may mark a seizure; its rows are read later."""
    try:
        table = read_table(recording.events) if recording.events is not None else None
    except InputError:
        return False  # reported by the check of the events
    if table is None:
        return False
    texts = [str(cell) for column in table for cell in table[column]]
    return any(mentions_seizure(text) for text in texts)


def _samples_of(signal: Path) -> Path | None:
    """Return the file of a recording that holds its samples, the largest; None if it is empty."""
    parts = [part for part in signal_parts(signal) if part.is_file() and part.stat().st_size]
    return max(parts, key=lambda part: part.stat().st_size, default=None)


def _same_content(one: Path | None, other: Path | None) -> bool:
    return one is not None and other is not None and _all_equal([one, other])


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _preferred[T](items: Sequence[T], is_preferred: Callable[[T], bool]) -> list[T]:
    """Return the preferred items, or all if none is preferred."""
    return [item for item in items if is_preferred(item)] or list(items)


def _in_sessions(paths: Sequence[Path], sessions: set[str]) -> list[Path]:
    """Return the paths of some sessions, or all if none is of them."""
    return _preferred(paths, lambda path: session_of(path) in sessions)


def _best_frame(rows: list[_Contacts]) -> list[_Contacts]:
    best = min((one.frame_rank for one in rows), default=0)
    return [one for one in rows if one.frame_rank == best]


def _fits(table: Path, recordings: Sequence[Recording]) -> bool:
    """Whether no recording contradicts the entities in the name of an electrodes.tsv."""
    own = entities(table)
    limited = [key for key in ("acq", "task", "run") if key in own]
    signals = [entities(one.signal) for one in recordings]
    return not limited or any(all(s.get(k) == own[k] for k in limited) for s in signals)


def _system_of(table: Path, systems: Sequence[Path], tables: Sequence[Path]) -> Path | None:
    """Return the coordsystem.json of an electrodes.tsv: the nearest whose entities agree.

    As BIDS inherits files: entities of the coordsystem.json must be those of the table, except
    that a table without space may have one with space if it is the only one.
    """
    own = _labels(table)
    fitting = [
        path
        for path in systems
        if all(own.get(key) == value for key, value in _labels(path).items())
    ]
    if fitting:
        return max(fitting, key=lambda path: len(_labels(path)))
    agreeing = [
        path
        for path in systems
        if all(own.get(key, value) == value for key, value in _labels(path).items())
    ]
    alone = len(agreeing) == 1 and len(tables) == 1
    return agreeing[0] if alone else None


def _labels(path: Path) -> dict[str, str]:
    """Return the entities of a file, with the session of its folder."""
    found = entities(path)
    for key in ("datatype", "suffix", "extension"):
        found.pop(key)
    session = session_of(path)
    return found | ({"ses": session} if session else {})


def _name(contacts: _Contacts | None) -> str:
    path = contacts.coordsystem if contacts is not None else None
    return path.name if path is not None else ""


def _is_named(path: Path, name: str) -> bool:
    """Whether IntendedFor names a file: as BIDS URI, or relative to dataset, patient or sidecar."""
    bare = re.sub(r"^bids:[^:]*:", "", name).replace("\\", "/").removesuffix(".gz")
    parts = [part for part in bare.split("/") if part not in ("", ".", "..")]
    return (
        bool(parts)
        and tuple(parts) == (*path.parts[:-1], path.name.removesuffix(".gz"))[-len(parts) :]
    )


def _named(paths: Sequence[Path]) -> str:
    """Return the names of files in a line, at most five."""
    shown = ", ".join(path.name for path in paths[:5])
    return f"{shown}, … ({len(paths)} files)" if len(paths) > 5 else shown


def _question(paths: Sequence[Path], what: str, group: str, why: str = "") -> InputError:
    """Return the error that asks which of several files is meant."""
    by_filter = f', or --filter-file with {{"{group}": {{…}}}}' if group else ""
    return InputError(
        f"{len(paths)} files for the {what}" + (f" ({why})" if why else ""),
        where=_named(paths),
        expected="one that the rules in docs/inputs.md decide for",
        hint=f"choose with --session{by_filter}, or move the others out of the dataset",
    )


def _all_equal(paths: Sequence[Path]) -> bool:
    """Whether files have the same content."""
    if not all(path.is_file() for path in paths):
        return False
    if len({path.stat().st_size for path in paths}) > 1:
        return False
    return all(filecmp.cmp(paths[0], path, shallow=False) for path in paths[1:])


def _beside(image: Path, ending: str) -> Path:
    return image.with_name(image.name.removesuffix(".gz").removesuffix(".nii") + ending)


def _json(path: Path | None) -> dict[str, Any]:
    """Return the content of a sidecar; empty if it is invalid (reported by its check)."""
    try:
        return read_json(path) if path is not None else {}
    except (InputError, OSError):
        return {}


def _listed(sidecar: Path | None, key: str) -> list[str]:
    """Return a key's text or texts; empty if the sidecar is invalid."""
    stated = _json(sidecar).get(key)
    return (
        [str(one) for one in stated]
        if isinstance(stated, list)
        else [str(stated)]
        if stated
        else []
    )
