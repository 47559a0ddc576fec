"""Bring one's own network: a Python function that makes it."""

from __future__ import annotations

from importlib import import_module
import os
import sys
from typing import Any

from collab_robots.core.errors import ConfigError


def make_module(source: str) -> Any:
    """
    Return what a function makes, a torch module with its weights.

    It runs that function, and all that its Python module does when it is imported.

    :param source: ``package.module:function``; looked for in the present folder, too.
    :raises ConfigError: if there is no such function, or it makes something else.
    """
    import torch

    name, _, function = source.partition(':')
    if not function:
        raise ConfigError(f'expected MODULE:FUNCTION, got {source!r}')
    sys.path.insert(0, os.getcwd())
    try:
        made = getattr(import_module(name), function)()
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigError(f'{source}: {type(error).__name__}: {error}') from error
    finally:
        sys.path.remove(os.getcwd())
    if not isinstance(made, torch.nn.Module):
        raise ConfigError(f'{source}: expected a torch module, got {type(made).__name__}')
    return made
