"""What a robot needs to take part: the model, what was trained for it, what its work takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
import json
from pathlib import Path

import numpy as np

from collab_robots.core.clock import Clock
from collab_robots.core.config import read_json
from collab_robots.core.errors import ConfigError, RefusedError
from collab_robots.inference.classifier import model_path
from collab_robots.inference.exits import Trained
from collab_robots.inference.model import Model, save
from collab_robots.inference.options import Option
from collab_robots.inference.profile.energy import EnergyModel, measure_energy
from collab_robots.inference.profile.measure import measure_times
from collab_robots.inference.profile.sheet import Sheet, SHEET_FILE
from collab_robots.inference.profile.times import Do, helper_steps, own_steps, Step, Times
from collab_robots.inference.runtime.engine import Bottleneck, EarlyExit, Engine

TRAINED = Path(__file__).parent / 'trained' / 'efficientnet_lite0'
TIMES_FILE = 'times.json'
MAX_TIMES_BYTES = 1 << 20
FRAME = (480, 640, 3)  # of the picture that times are measured with
MEASURED_LOSS = 0.1  # what is less accurate than this is not measured: nobody will choose it


@dataclass(frozen=True)
class Outfit:
    """
    See the module.

    :param engine: the model with its exits, its bottlenecks, and its times here.
    :param sheet: bytes and accuracy of its options.
    """

    engine: Engine
    sheet: Sheet

    @classmethod
    def load(
        cls,
        clock: Clock,
        profile: Path | None = None,
        slow: float = 1.0,
        path: Path | None = None,
    ) -> Outfit:
        """
        Load a model and what is known of it; measure its times where none are kept.

        :param clock: a fine one, to measure times with.
        :param profile: folder with ``sheet.json`` and ``times.json``; None: the sheet that comes
            with the package, and times beside the model.
        :param slow: how many times slower than this computer the robot is to be.
        :param path: of the model; None: EfficientNet-Lite0.
        :raises ConfigError: if something is missing or does not belong to the model.
        """
        path = path or model_path()
        model = Model.load(path)
        exits, bottlenecks = load_trained(model)
        sheet = Sheet.load((profile or TRAINED) / SHEET_FILE, model.hash)
        kept = (profile or path.parent) / TIMES_FILE
        times = load_times(kept, model.hash)
        options = [option for option in sheet.rows if sheet.loss(option) <= MEASURED_LOSS]
        if times is None or not _covers(times, options, sheet.last):
            picture = np.random.default_rng(0).integers(0, 256, FRAME, dtype=np.uint8)
            # by a model of its own: it keeps all stages in memory
            measured = Model.load(path)
            times = measure_times(measured, exits, bottlenecks, options, picture, clock)
            save_times(times, kept, model.hash)
        here = Times({step: slow * seconds for step, seconds in times.items()})
        engine = Engine(model, here, exits, bottlenecks)
        engine.load()
        return cls(engine, sheet)

    def energy(self, clock: Clock, rest: Callable[[float], object]) -> EnergyModel:
        """
        Measure what computing costs this robot, for 2 s; what is stated where it cannot be.

        :param rest: waits this many seconds.
        """
        model = self.engine.model
        picture = np.zeros((1, *model.cuts[0].shape), dtype=np.float32)
        return measure_energy(partial(model.stage(0, self.engine.last).run, picture), rest, clock)


def load_trained(model: Model) -> tuple[dict[int, EarlyExit], dict[int, Bottleneck]]:
    """Return a model's exits and bottlenecks, by cut; none if the package has none of it."""
    trained = Trained.load(None, model)
    return {early.cut: early for early in trained.exits}, dict(trained.bottlenecks)


def _covers(times: Times, options: Iterable[Option], last: int) -> bool:
    """Tell whether the times of all pieces of these options are known."""
    return all(
        step in times
        for option in options
        for steps in (*own_steps(option, last), helper_steps(option, last))
        for step in steps
    )


def save_times(times: Times, path: Path, model: bytes) -> None:
    """
    Write times to a file, whole or not at all.

    :param model: hash of the model whose they are.
    :raises ConfigError: if it cannot be written.
    """
    rows = [
        [step.do.value, step.start, step.end, str(step.what) if step.what else '', seconds]
        for step, seconds in times.items()
    ]
    save(json.dumps({'model': model.hex(), 'times': rows}).encode(), path)


def load_times(path: Path, model: bytes) -> Times | None:
    """
    Read times from a file.

    :returns: None if there is no such file, or it is of another model.
    :raises ConfigError: if it cannot be read or is malformed.
    """
    try:
        with path.open('rb') as file:
            found = read_json(file.read(MAX_TIMES_BYTES))
        if found['model'] != model.hex():
            return None
        return Times(
            {
                Step(Do(do), start, end, Option.parse(what) if what else None): seconds
                for do, start, end, what, seconds in found['times']
            }
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f'{path}: cannot be read: {error.strerror}') from None
    except (ValueError, KeyError, TypeError, RefusedError) as error:
        raise ConfigError(f'{path}: no times: {error}') from None
