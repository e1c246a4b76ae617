"""Write EDF and BDF files with pauses, several sampling rates and faulty fields, for tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Channel:
    """A channel with samples in µV; `unit` is what the header states."""

    name: str
    rate_hz: float
    samples: np.ndarray
    unit: str = "uV"


@dataclass
class EdfFile:
    """An EDF whose records start at `starts_s` of the clock (by default without pauses)."""

    channels: Sequence[Channel]
    record_s: float = 1.0
    starts_s: Sequence[float] | None = None
    marks: Sequence[tuple[float, float | None, str]] = ()
    kind: str = "EDF+C"
    patient: str = "X X X X"
    encoding: str = "utf-8"
    timekeeping: bool = True
    changes: dict[int, bytes] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        """Write the file; samples have steps of 0.1 µV (EDF) or 0.001 µV (BDF)."""
        width = 3 if path.suffix == ".bdf" else 2
        step = 0.1 if width == 2 else 0.001
        counts = [round(c.rate_hz * self.record_s) for c in self.channels]
        n = min(len(c.samples) // k for c, k in zip(self.channels, counts, strict=True))
        starts = self.starts_s if self.starts_s is not None else np.arange(n) * self.record_s
        names = [c.name for c in self.channels]
        units = [c.unit for c in self.channels]
        fields = self._annotation_fields(starts, width) if self.timekeeping or self.marks else []
        if fields:
            names.append("EDF Annotations" if width == 2 else "BDF Annotations")
            units.append("")
            counts.append(len(fields[0]) // width)
        top = 2 ** (8 * width - 1) - 1
        physical = (f"{-top * step:.8g}"[:8], f"{top * step:.8g}"[:8])
        blocks = [(names, 16), ([""] * len(names), 80), (units, 8)]
        blocks += [([cell] * len(names), 8) for cell in (*physical, str(-top), str(top))]
        blocks += [([""] * len(names), 80), ([str(k) for k in counts], 8), ([""] * len(names), 32)]
        first = b"0" if width == 2 else b"\xffBIOSEMI"
        head = [
            (first, 8), (self.patient.encode("latin-1"), 80), (b"Startdate X X X X", 80),
            (b"01.01.00", 8), (b"00.00.00", 8), (str(256 * (1 + len(names))).encode(), 8),
            (self.kind.encode(), 44), (str(n).encode(), 8), (f"{self.record_s:g}".encode(), 8),
            (str(len(names)).encode(), 4),
        ]  # fmt: skip
        content = b"".join(cell.ljust(size) for cell, size in head)
        for cells, size in blocks:
            content += b"".join(cell.encode("latin-1").ljust(size) for cell in cells)
        scale = float(physical[1]) / top
        records = [content]
        for record in range(n):
            for channel, count in zip(self.channels, counts, strict=False):
                part = channel.samples[record * count : (record + 1) * count]
                digital = np.round(part / scale).astype("<i4")
                records.append(digital.view(np.uint8).reshape(-1, 4)[:, :width].tobytes())
            records.append(fields[record] if fields else b"")
        raw = bytearray(b"".join(records))
        for place, value in self.changes.items():
            raw[place : place + len(value)] = value
        path.write_bytes(raw)
        return path

    def _annotation_fields(self, starts: Sequence[float], width: int) -> list[bytes]:
        """Return the bytes of the annotations, record by record."""
        fields = [f"{s:+.6g}\x14\x14\x00".encode() if self.timekeeping else b"" for s in starts]
        for onset, duration, text in self.marks:
            last = [i for i, start in enumerate(starts) if start <= onset] or [0]
            length = "" if duration is None else f"\x15{duration:g}"
            entry = f"{onset:+.6g}{length}\x14{text}\x14\x00"
            fields[last[-1]] += entry.encode(self.encoding)
        size = -(-max(map(len, fields)) // width) * width
        return [one.ljust(size, b"\x00") for one in fields]
