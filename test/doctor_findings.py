"""What tests of the doctor share."""

from __future__ import annotations

from collections.abc import Iterable

from collab_robots.explorer.doctor.finding import Finding, Level, Limits

# how busy the computer is that runs the tests is not what they are about
LIMITS = Limits(free_disk=0, free_memory=0, load=1e9)


def bad(findings: Iterable[Finding]) -> list[Finding]:
    """Return what is not well."""
    return [finding for finding in findings if finding.level is not Level.OK]


def only(found: list[Finding], check: str, level: Level, message: str, fix: str) -> None:
    """Assert that one thing is wrong, and what the doctor says of it."""
    assert [(finding.check, finding.level) for finding in found] == [(check, level)], found
    assert message in found[0].message
    assert fix in found[0].fix
