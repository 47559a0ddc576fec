"""The names of the picture classes."""

from __future__ import annotations

from importlib import resources

from collab_robots.core.errors import ConfigError

CLASSES = 1000


def load_labels() -> tuple[str, ...]:
    """Return the ImageNet-1k class names (first WordNet lemma) in the order of the classes."""
    text = (resources.files(__package__) / 'imagenet_labels.txt').read_text(encoding='utf-8')
    labels = tuple(text.splitlines())
    if len(labels) != CLASSES:
        raise ConfigError(f'imagenet_labels.txt: expected {CLASSES} lines, got {len(labels)}')
    return labels
