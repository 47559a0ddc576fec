"""Calls of the contract Fleet."""

from __future__ import annotations

from collections.abc import Mapping

CALLS: Mapping[str, str] = {}
ERRORS: Mapping[str, str] = {}
EVENTS: Mapping[str, str] = {}
