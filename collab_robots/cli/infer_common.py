"""What the commands of ``collab-robots infer`` share: models and pictures by name, the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collab_robots.inference.album import Picture
    from collab_robots.inference.model import Model
    from collab_robots.inference.outfit import Outfit
    from collab_robots.inference.pictures import Rgb

DEFAULT_MODEL = 'efficientnet_lite0'

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar='MODEL',
        help=f'An ONNX file that `infer export` made, or {DEFAULT_MODEL}, which is there already.',
    ),
]
ImagesArgument = Annotated[
    list[Path], typer.Argument(metavar='IMAGES', help='Pictures, or folders of them.')
]
JsonOption = Annotated[bool, typer.Option('--json', help='JSON on standard output.')]
ProfileOption = Annotated[
    Path | None,
    typer.Option(
        help='Folder with what `infer profile` measured.',
        show_default='MODEL.profile beside the model',
    ),
]
SlowOption = Annotated[
    float,
    typer.Option(min=1.0, max=1000.0, help='Be as many times slower than this computer is.'),
]


def model_file(name: str) -> Path:
    """Return the file of a model that is given by name or file."""
    from collab_robots.inference.classifier import model_path

    return model_path() if name == DEFAULT_MODEL else Path(name)


def load_model(name: str) -> Model:
    """
    Load a model by name or file.

    :raises ConfigError: if it is neither.
    """
    from collab_robots.inference.model import Model

    return Model.load(model_file(name))


def profile_folder(name: str, given: Path | None) -> Path | None:
    """Return the folder of a model's figures; None for those that come with the package."""
    if given is None and name != DEFAULT_MODEL:
        return Path(name).with_suffix('.profile')
    return given


def load_outfit(name: str, profile: Path | None, slow: float) -> Outfit:
    """
    Load a model with all that is known of it; measure its times where none are kept.

    :raises ConfigError: if something is missing or does not belong to the model.
    """
    from collab_robots.core.clock import SteadyClock
    from collab_robots.core.errors import ConfigError
    from collab_robots.inference.outfit import Outfit
    from collab_robots.inference.profile.sheet import SHEET_FILE

    folder, file = profile_folder(name, profile), model_file(name)
    if file.is_file() and folder is not None and not (folder / SHEET_FILE).is_file():
        raise ConfigError(
            f'{folder}: no profile; make it with: collab-robots infer profile {name} PICTURES '
            f'--out {folder}'
        )
    with busy('Loading the model; the first time every piece of it is timed'):
        return Outfit.load(SteadyClock(), folder, slow, file)


def read_pictures(places: list[Path]) -> list[Picture]:
    """
    Read all pictures, the damaged ones too, which have none.

    :raises ConfigError: if there is no picture at all.
    """
    from collab_robots.core.errors import ConfigError
    from collab_robots.inference.album import read_all

    with busy('Reading pictures'):
        found = list(read_all(places))
    if all(picture.rgb is None for picture in found):
        raise ConfigError(f'no picture: {found[0].path}: {found[0].why}')
    return found


def read_good_pictures(places: list[Path]) -> dict[Path, Rgb]:
    """
    Read all pictures that are not damaged, by file, and tell of the others.

    :raises ConfigError: if there is no picture at all.
    """
    found = read_pictures(places)
    for picture in found:
        if picture.rgb is None:
            typer.echo(f'{picture.path}: left out: {picture.why}', err=True)
    return {picture.path: picture.rgb for picture in found if picture.rgb is not None}


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show on the terminal that something takes a while."""
    from rich.console import Console

    with Console(stderr=True).status(f'{what} …'):
        yield


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show on the terminal how much is done; yields what is told that number."""
    from rich.console import Console
    from rich.progress import (
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TimeElapsedColumn,
    )

    shown_last = MofNCompleteColumn(), TimeElapsedColumn()
    columns = SpinnerColumn(), *Progress.get_default_columns()[:2], *shown_last
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=total)
        yield lambda done: shown.update(task, completed=done)
