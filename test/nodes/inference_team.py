"""A profile for tests of the inference node: stated times and bytes, so that plans are certain."""

from __future__ import annotations

from pathlib import Path

from collab_robots.inference.classifier import model_path
from collab_robots.inference.model import Model
from collab_robots.inference.options import Kind, LOCAL, Option
from collab_robots.inference.outfit import save_times, TIMES_FILE
from collab_robots.inference.profile.sheet import Row, Sheet, SHEET_FILE
from collab_robots.inference.profile.times import Do, PREPARE, stage, Step, Times

CUT = 16
SPLIT = Option(Kind.SPLIT, CUT, 8)
JPEG = Option(Kind.JPEG, quality=90)
WHOLE_S = 0.010


def write_profile(folder: Path) -> None:
    """Write that a network takes 10 ms, its first half 5 ms, and its code little."""
    model = Model.load(model_path())
    last = len(model.cuts) - 1
    right = {'accuracy': 1.0, 'agreement': 1.0}
    rows = {
        LOCAL: Row(**right),
        SPLIT: Row(bytes_mean=12_000.0, bytes_high=15_000.0, **right),
        JPEG: Row(bytes_mean=16_000.0, bytes_high=25_000.0, **right),
    }
    sheet = Sheet(model.hash, last, 1, False, rows)
    (folder / SHEET_FILE).write_text(sheet.dump())
    base = {PREPARE: 0.001, stage(0, last): WHOLE_S}
    base |= {stage(0, cut): WHOLE_S * cut / last for cut in range(1, last)}
    base |= {stage(cut, last): WHOLE_S * (last - cut) / last for cut in range(1, last)}
    for option in (SPLIT, JPEG):
        base |= {Step(Do.ENCODE, what=option): 0.002, Step(Do.DECODE, what=option): 0.002}
    save_times(Times(base), folder / TIMES_FILE, model.hash)
