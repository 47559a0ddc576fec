"""``ledger repair`` for people: what is damaged, what is left, what is lost."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet
from collab_robots.tangle import repair as tool
from collab_robots.tangle.store import Store


def repair(db: Path, fleet: Fleet, robot: str | None, dry_run: bool) -> dict[str, Any]:
    """
    Repair a ledger file if it is damaged.

    :param robot: whose it is; None: as the file says.
    :param dry_run: change nothing.
    :returns: what was found and done.
    :raises ConfigError: if it is of another fleet or robot, or does not say of which robot.
    :raises StoreError: if it is not there, its robot runs, or the disk does not take a new one.
    """
    if robot is not None:
        fleet.index_of(robot)
    damage = tool.find_damage(db, fleet)
    if not damage:
        with closing(Store.read(db)) as store:
            return {
                'ledger': str(db),
                'damage': '',
                'warning': store.meta.get('incomplete', ''),
            }
    saved = tool.salvage(db, fleet)
    if robot and saved.robot and robot != saved.robot:
        raise ConfigError(f'{db}: is the ledger of {saved.robot!r}, not of {robot!r}')
    owner = robot or saved.robot
    report: dict[str, Any] = {
        'ledger': str(db),
        'damage': damage,
        'robot': owner,
        'bad_pages': saved.bad_pages,
        'records': {
            name: {
                'pruned': chain.pruned,
                'kept': chain.kept,
                'lost': [list(gap) for gap in chain.lost],
            }
            for name, chain in saved.chains.items()
        },
        'foreign_blocks_kept': saved.foreign,
        'proofs_kept': [fleet.robots[issuer].name for issuer in sorted(saved.proofs)],
        'snapshot_kept': saved.snapshot[0] if saved.snapshot else None,
    }
    if not dry_run:
        if owner not in fleet.index_by_name:
            raise ConfigError(f'{db}: whose ledger it is cannot be read; name it with --robot')
        report['damaged_file'] = str(tool.repair(db, fleet, owner, saved))
    return report


def in_words(report: dict[str, Any]) -> str:
    """Tell what :func:`repair` found and did."""
    if not report['damage']:
        warning = report['warning'] and (
            f', but {report["warning"]}; the robot fetches it from the others, and issues '
            'nothing before it has heard all of them'
        )
        return f'{report["ledger"]}: nothing is damaged{warning}'
    lines = [report['damage'], f'pages that are lost or hold a lost row: {report["bad_pages"]}']
    for name, chain in report['records'].items():
        gaps = ', '.join(
            str(first) if first == last else f'{first} to {last}' for first, last in chain['lost']
        )
        lost = f'lost: {gaps}, and what came later' if gaps else 'what came later may be lost'
        pruned = f', {chain["pruned"]} older ones are in the snapshot' if chain['pruned'] else ''
        lines.append(f'{name}: {chain["kept"]} records kept{pruned}; {lost}')
    snapshot, proofs = report['snapshot_kept'], report['proofs_kept']
    lines += [
        f'unsigned blocks kept: {report["foreign_blocks_kept"]}',
        f'snapshot: {"none is left" if snapshot is None else f"number {snapshot} kept"}',
        f'proofs of equivocation kept: {", ".join(proofs) or "none"}',
    ]
    if 'damaged_file' in report:
        lines += [
            f'repaired; the damaged file is kept as {report["damaged_file"]}',
            'What is lost comes from the other robots when the robot runs; it issues nothing '
            'before it has heard all of them.',
        ]
    else:
        lines.append('nothing was changed; without --dry-run it is repaired')
    return '\n'.join(lines)
