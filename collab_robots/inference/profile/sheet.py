"""What each option sends and how often its answer is right: measured with pictures, on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Annotated

from pydantic import Field

from collab_robots.core.config import parse, read_json, Strict
from collab_robots.core.errors import ConfigError, RefusedError
from collab_robots.inference.options import Kind, LOCAL, Option

VERSION = 1
QUANTILE = 0.95  # of a row's high bytes
MAX_SHEET_BYTES = 1 << 20
MAX_ROWS = 4096
SHEET_FILE = 'sheet.json'

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Bytes = Annotated[float, Field(ge=0.0, le=1 << 26)]


class Row(Strict):
    """
    One option on many pictures.

    :param bytes_mean: of what is sent for a picture, where something is.
    :param bytes_high: the same, above the mean: what 95 % of the pictures stay below.
    :param accuracy: share of the pictures named right; of unlabelled ones the agreement.
    :param agreement: share of the pictures named as the whole model here names them.
    :param exit_share: of the pictures that the option's exit answers.
    """

    bytes_mean: Bytes = 0.0
    bytes_high: Bytes = 0.0
    accuracy: Share
    agreement: Share
    exit_share: Share = 0.0


class _File(Strict):
    version: Annotated[int, Field(ge=VERSION, le=VERSION)]
    model: Annotated[str, Field(pattern='^[0-9a-f]{64}$')]
    last: Annotated[int, Field(ge=2, le=255)]
    pictures: Annotated[int, Field(ge=1, le=10_000_000)]
    labelled: bool
    rows: Annotated[dict[str, Row], Field(min_length=1, max_length=MAX_ROWS)]


@dataclass(frozen=True)
class Sheet:
    """
    Bytes and accuracy of the options of one model.

    :param model: its hash, 32 bytes.
    :param last: its last cut.
    :param pictures: how many it was measured with.
    :param labelled: whether these had labels; else an answer is right if it is the whole model's.
    :param rows: one per option; the local one is among them.
    :raises ConfigError: if the local option is missing, or an option lies behind the last cut.
    """

    model: bytes
    last: int
    pictures: int
    labelled: bool
    rows: Mapping[Option, Row]

    def __post_init__(self) -> None:
        """Refuse options that the model does not have."""
        if LOCAL not in self.rows:
            raise ConfigError('a sheet without the local option says nothing about the others')
        for option, row in self.rows.items():
            if max(option.cut, option.exit) >= self.last:
                raise ConfigError(f'{option} lies behind the last cut, {self.last}')
            if (row.bytes_mean > 0.0) != option.remote or row.bytes_high < row.bytes_mean:
                raise ConfigError(f'{option} cannot send {row.bytes_mean:g} bytes')

    def loss(self, option: Option) -> float:
        """Return the share of pictures more that it names wrong than the whole model does."""
        return self.rows[LOCAL].accuracy - self.rows[option].accuracy

    def coded_input(self, max_loss: float) -> Option:
        """
        Return the smallest picture that loses no more than this.

        :raises ConfigError: if the sheet has no picture among its options.
        """
        pictures = [option for option in self.rows if option.kind in (Kind.JPEG, Kind.RAW)]
        good = [option for option in pictures if self.loss(option) <= max_loss]
        if not pictures:
            raise ConfigError('the sheet has no option that sends the picture')
        return min(good or pictures, key=lambda option: self.rows[option].bytes_mean)

    def dump(self) -> str:
        """Return it as JSON, the same for equal sheets."""
        rows = {str(option): self.rows[option].model_dump() for option in sorted(self.rows)}
        lines = ',\n'.join(
            f'  {json.dumps(name)}: {json.dumps(row)}' for name, row in rows.items()
        )
        head = {
            'version': VERSION,
            'model': self.model.hex(),
            'last': self.last,
            'pictures': self.pictures,
            'labelled': self.labelled,
        }
        text = ''.join(
            f' {json.dumps(key)}: {json.dumps(value)},\n' for key, value in head.items()
        )
        return f'{{\n{text} "rows": {{\n{lines}\n }}\n}}\n'

    @classmethod
    def load(cls, path: Path, model: bytes) -> Sheet:
        """
        Read a sheet.

        :param model: hash of the model that it must be about.
        :raises ConfigError: if it is missing, too large, malformed or of another model.
        """
        try:
            with path.open('rb') as file:
                text = file.read(MAX_SHEET_BYTES + 1)
            if len(text) > MAX_SHEET_BYTES:
                raise ConfigError(f'{path}: larger than {MAX_SHEET_BYTES} bytes, refused')
            file_ = parse(_File, read_json(text), str(path))
            if file_.model != model.hex():
                raise ConfigError(f'{path}: of model {file_.model[:12]}, not {model.hex()[:12]}')
            rows = {Option.parse(name): row for name, row in file_.rows.items()}
        except OSError as error:
            raise ConfigError(f'{path}: cannot be read: {error.strerror}') from None
        except (ValueError, RefusedError) as error:
            raise ConfigError(f'{path}: no sheet: {error}') from None
        try:
            return cls(model, file_.last, file_.pictures, file_.labelled, rows)
        except ConfigError as error:
            raise ConfigError(f'{path}: {error}') from None
