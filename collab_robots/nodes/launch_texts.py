"""Texts that launch files make for programs which read files; as ``launching``, only for them."""

from __future__ import annotations

from pathlib import Path
import tempfile

from launch.actions import OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnShutdown


def temporary(text: str, suffix: str) -> tuple[Path, RegisterEventHandler]:
    """Write a temporary file; return it, and the action that removes it when launch ends."""
    with tempfile.NamedTemporaryFile('w', suffix=suffix, delete=False, encoding='utf-8') as file:
        file.write(text)
    path = Path(file.name)
    remove = OpaqueFunction(function=lambda _context: path.unlink(missing_ok=True))
    return path, RegisterEventHandler(OnShutdown(on_shutdown=[remove]))
