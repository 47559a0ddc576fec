"""Read YAML that a person wrote: bounded, validated, and refused in words that help."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json
import yaml

from collab_robots.core.errors import ConfigError

MAX_CONFIG_BYTES = 1 << 20


class Strict(BaseModel):
    """Base of all configuration models: unknown keys, NaN and infinity are errors."""

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)


Model = TypeVar('Model', bound=BaseModel)


def parse(model: type[Model], data: Any, source: str) -> Model:
    """
    Validate plain data against a model.

    :param source: what to call the data in the error, usually a path.
    :raises ConfigError: naming every wrong key, what was expected and what came.
    """
    if not isinstance(data, dict):
        raise ConfigError(f'{source}: expected a mapping of keys, got {type(data).__name__}')
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = []
        for item in error.errors(include_url=False):
            where = '.'.join(str(part) for part in item['loc']) or '(whole file)'
            lines.append(f'  {where}: {item["msg"]}; got {item["input"]!r:.80}')
        raise ConfigError(f'{source}: not valid:\n' + '\n'.join(lines)) from None


def read_json(data: bytes | str) -> Any:
    """
    Return what JSON from elsewhere says.

    The standard library's reader takes as many levels as the interpreter allows; libraries of the
    contracts allow so many that deep nesting ends the process.

    :raises ValueError: if it is no JSON, names NaN or infinity, or has more than 200 levels.
    """
    return from_json(data, allow_inf_nan=False)


def load_yaml(path: Path | str, model: type[Model]) -> Model:
    """
    Read one YAML file into a model.

    :raises ConfigError: if it is missing, too large, not YAML, or not valid.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(f'{path}: larger than {MAX_CONFIG_BYTES} bytes, refused')
        data = yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise ConfigError(f'{path}: cannot be read: {error.strerror}') from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f'{path}: not YAML: {error}') from None
    return parse(model, data, str(path))
