"""Which versions of libraries this computer has, for reports of what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def versions(packages: Iterable[str]) -> dict[str, str]:
    """
    Return the versions of those packages that are installed.

    Some are not: ROS 2 from apt is no Python package, and pyrevm has no wheel for arm64.
    """
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
