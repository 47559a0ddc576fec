"""
What the contracts cost a robot: gas and time of every call, bad calls, replay, two machines.

All times are of the processor, so that what else runs on a computer matters little.
``python -m benchmarks.contract --help`` has the options.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from functools import partial
import hashlib
from random import Random
import statistics
import time
from typing import Annotated, Any

from rich.progress import track
import typer

from benchmarks.calls import RandomCalls
from benchmarks.contract_world import Case, sender, TIME, World
from benchmarks.report import OutOption, Report
from benchmarks.workload import Workload
from collab_robots.contract.artifact import SELECTOR_BYTES, suite
from collab_robots.contract.deployment import Deployment, EPOCH_GAS
from collab_robots.contract.evm import Evm, GAS_LIMIT, PyrevmEvm
from collab_robots.contract.facts import Facts
from collab_robots.contract.pyevm import PyEvm
from collab_robots.contract.runner import Runner
from collab_robots.core.clock import SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block import GENESIS
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.order import Order
from collab_robots.tangle.record import Record

BURN_LIMIT_MS = 20.0
REPLAY_LIMIT_S = 1.0
REPEATS = 9
SEQUENCE = 40  # calls
EPOCH_EVERY = 20  # calls
REVERTED = 'reverted'

# Loops without end, each of what is slow in one way; a number is on the stack.
BURNERS = {
    'counting': '600101',
    'powers': f'7f{"ff" * 32}7f{"ff" * 32}0a50',
    'hashing 4 kB': '61100060002050',
    'copying 4 kB': '6110006000600037',
    'reading cold slots': '600101805450',
    'writing cold slots': '600101808055',
}


class Part(str, Enum):
    """What to measure."""

    CALLS = 'calls'
    BURN = 'burn'
    REPLAY = 'replay'
    EQUAL = 'equal'


def calls(report: Report, repeats: int, worlds: Sequence[bool]) -> None:
    """
    Measure every call and view at its worst.

    :param worlds: see :class:`World`.
    """
    costs: dict[str, dict[str, Any]] = {}
    views: dict[str, dict[str, Any]] = {}
    for convicted in worlds:
        world = World(convicted)
        reloaded = _reloaded(world, PyrevmEvm())
        cold = _reloaded(world, PyEvm())
        for case in world.cases():
            found = _cost(case, world, reloaded, cold, repeats)
            known = costs.setdefault(case.call, found)
            known |= {key: max(known[key], figure) for key, figure in found.items()}
        for contract, function, what, values in world.views():
            name = f'{function}, {what}' if what else function
            spent = _us(partial(reloaded.ask, contract, function, *values), reloaded.evm, repeats)
            views[name] = {'us': max(spent, views.get(name, {}).get('us', 0.0))}
    rows = [[name, *figures.values()] for name, figures in costs.items()]
    columns = ['call at its worst', 'gas, cold', 'gas, warm', 'µs pyrevm', 'ms py-evm']
    report.table('calls', '64 robots: what a call costs', columns, rows, costs)
    report.note(f'limit of a call: {GAS_LIMIT:,} gas; of closing an epoch: {EPOCH_GAS:,}')
    view_rows = [[name, figures['us']] for name, figures in views.items()]
    report.table('views', '64 robots: what a view costs', ['view', 'µs pyrevm'], view_rows, views)


def _reloaded(world: World, evm: Evm) -> Deployment:
    """Return the same world in another machine, where no storage was touched."""
    empty = Deployment(suite(), world.fleet, evm)
    return empty.with_storage(world.deployment.evm.dump())


def _cost(
    case: Case, world: World, reloaded: Deployment, cold: Deployment, repeats: int
) -> dict[str, float]:
    caller = sender(case, world.fleet)
    gas, us = [], []
    for deployment, times in ((cold, 1), (world.deployment, 1), (reloaded, repeats)):
        before = deployment.evm.mark()
        call = partial(_run, deployment, caller, case.data)
        us.append(_us(call, deployment.evm, times))
        gas.append(call())
        deployment.evm.rollback(before)
    return {
        'gas_cold': gas[0],
        'gas_warm': gas[1],
        'us_pyrevm': us[2],
        'ms_pyevm': us[0] / 1e3,
    }


def _run(deployment: Deployment, caller: bytes, data: bytes) -> int:
    """Execute a call, which has to be successful, and return its gas."""
    result = deployment.call(caller, data, TIME, EPOCH_GAS)
    if not result.ok:
        raise RuntimeError(f'{suite().calls[data[:SELECTOR_BYTES]].name}: {result}')
    return result.gas


def _us(action: Callable[[], Any], evm: Evm, repeats: int) -> float:
    """Return the median time of an action, µs; each begins where the first one did."""
    spent = []
    for _ in range(repeats):
        mark = evm.mark()
        spent.append(_seconds(action) * 1e6)
        evm.rollback(mark)
    return statistics.median(spent)


def burn(report: Report, repeats: int) -> None:
    """Measure calls that take all the gas they get."""
    rows, figures = [], {}
    for name, loop in BURNERS.items():
        body = bytes.fromhex(f'60005b{loop}600256')
        spent = []
        for machine, times in ((PyrevmEvm, repeats), (PyEvm, 1)):
            evm = machine()
            contract = evm.deploy(bytes.fromhex(f'61{len(body):04x}80600c6000396000f3') + body)
            spent.append(_us(partial(evm.call, bytes(20), contract, b'', TIME), evm, times) / 1e3)
        figures[name] = dict(zip(('ms_pyrevm', 'ms_pyevm'), spent, strict=True))
        rows.append([name, *spent])
    columns = ['loop of', 'ms pyrevm', 'ms py-evm']
    report.table('burn', f'a call that takes {GAS_LIMIT:,} gas', columns, rows, figures)
    report.note(
        f'limit on pyrevm: {BURN_LIMIT_MS:.0f} ms. No call of the suite takes all the gas it '
        'gets, and none hashes in a loop.'
    )


def entries(fleet: Fleet, count: int, seed: int) -> Iterator[Entry]:
    """Yield records with one call each, as they come in the final order; they are not signed."""
    workload, robots = Workload(fleet, seed), len(fleet.robots)
    last = [GENESIS] * robots
    for index in range(count):
        robot, seq = index % robots, index // robots
        record = Record(
            fleet.id,
            fleet.robots[robot].key,
            seq,
            (last[robot],),
            (1000 + index) * SECOND,
            (workload.call(robot),),
            b'',
        )
        last[robot] = hashlib.blake2b(index.to_bytes(8, 'big'), digest_size=32).digest()
        seen = (seq + 1,) * robots
        yield Entry(last[robot], record, robot, robot, index + 1, seen, 0, 0, False, None)


def replay(report: Report, count: int, seed: int, repeats: int) -> None:
    """Measure how fast a robot executes what it missed."""
    rows, figures = [], {}
    for machine in (PyrevmEvm, PyEvm):
        runs = [_replay(machine(), count, seed) for _ in range(repeats)]
        medians = {what: statistics.median(run[what] for run in runs) for what in runs[0]}
        figures[machine.__name__] = {'medians_s': medians, 'runs_s': runs, 'calls': count}
        rows.append([machine.__name__, *medians.values(), count / medians['execute']])
        repeats = 1  # what is slow need not be measured as exactly
    columns = ['machine', 's execute', 's state root', 's snapshot', 'calls/s']
    report.table('replay', f'{count:,} mixed calls through the runner', columns, rows, figures)
    report.note(f'limit on pyrevm: {REPLAY_LIMIT_S:.0f} s for 10,000')


def _replay(evm: Evm, count: int, seed: int) -> dict[str, float]:
    fleet, _ = make_team(4)
    order, runner = Order(), Runner(fleet, evm)
    found = list(entries(fleet, count, seed))
    for entry in found:
        order.insert(entry)
    order.finalise(found)
    spent = {
        'execute': _seconds(lambda: runner.update(order)),
        'root': _seconds(runner.final_root),
        'snapshot': _seconds(lambda: runner.state_at(count)),
    }
    if runner.reverted:
        raise RuntimeError(f'{runner.reverted} calls were reverted')
    return spent


def _seconds(action: Callable[[], Any]) -> float:
    """Return the processor time that an action takes."""
    began = time.process_time()
    action()
    return time.process_time() - began


def equal(report: Report, count: int, seed: int) -> None:
    """Execute random sequences of calls on both machines: all that they give must be equal."""
    fleet, _ = make_team(4)
    pair = [Deployment(suite(), fleet, machine()) for machine in (PyrevmEvm, PyEvm)]
    marks = [deployment.evm.mark() for deployment in pair]
    done: Counter[str] = Counter()
    unlike = []
    for number in track(range(count), 'sequences', console=report.console, transient=True):
        for index, deployment in enumerate(pair):
            deployment.evm.rollback(marks[index])
            marks[index] = deployment.evm.mark()
        if not sequence(pair, fleet, Random(f'{seed} {number}'), done):
            unlike.append(number)
    figures = {
        'sequences': count,
        'calls': done.total(),
        'reverted': done[REVERTED],
        'successful': done.total() - done[REVERTED],
        'kinds': len(done.keys() - {REVERTED}),
        'unlike': len(unlike),
    }
    title = f'random sequences of {SEQUENCE} calls on pyrevm and py-evm'
    report.table('equal', title, list(figures), [list(figures.values())], figures)
    report.note(f'kinds: of {len(suite().calls)} calls, how many were successful at least once')
    report.keep('equal_details', {'calls': done, 'unlike': unlike})


def sequence(pair: list[Deployment], fleet: Fleet, random: Random, done: Counter[str]) -> bool:
    """
    Execute a random sequence of calls, with epochs that close.

    :param pair: in the same state.
    :param done: where calls are counted: successful ones by name, and those that were reverted.
    :returns: whether results, events, facts and storage are equal.
    """
    source = RandomCalls([robot.address for robot in fleet.robots], random)
    facts = [Facts() for _ in pair]
    same = True
    for step in range(SEQUENCE):
        caller, data = source.sender(), source.call()
        if data[:SELECTOR_BYTES] not in suite().calls:
            continue
        results = [deployment.call(caller, data, TIME + step) for deployment in pair]
        logs = [deployment.evm.logs() for deployment in pair] if results[0].ok else [(), ()]
        same &= results[0] == results[1] and logs[0] == logs[1]
        done[suite().calls[data[:SELECTOR_BYTES]].name if results[0].ok else REVERTED] += 1
        if results[0].ok:
            source.heard(results[0].output)
        for deployment, known, told in zip(pair, facts, logs, strict=True):
            known.touch(deployment.touched(told))
            if step % EPOCH_EVERY == EPOCH_EVERY - 1:
                known.touch(deployment.close_epoch(TIME + step))
    roots = set()
    for deployment, known in zip(pair, facts, strict=True):
        known.refresh(deployment)
        roots.add(known.digest(fleet.id))
    return same and len(roots) == 1 and pair[0].evm.dump() == pair[1].evm.dump()


def main(
    parts: Annotated[
        list[Part] | None, typer.Option('--part', help='What to measure; repeatable.')
    ] = None,
    seed: Annotated[int, typer.Option(help='Of the calls.')] = 1,
    replayed: Annotated[int, typer.Option('--calls', min=10, help='To replay.')] = 10_000,
    sequences: Annotated[int, typer.Option(min=1, help='Random ones, on both machines.')] = 1_000,
    quick: Annotated[
        bool, typer.Option('--quick', help='Small sizes, about half a minute.')
    ] = False,
    out: OutOption = None,
) -> None:
    r"""
    Measure the contracts: gas and time of calls, bad calls, replay, both machines.

    \b
    Examples:
      python -m benchmarks.contract --quick
      python -m benchmarks.contract
      python -m benchmarks.contract --part equal --sequences 1000
    """
    chosen = parts or list(Part)
    if quick:
        replayed, sequences = min(replayed, 500), min(sequences, 10)
    options = {
        'parts': [part.value for part in chosen],
        'seed': seed,
        'calls': replayed,
        'sequences': sequences,
    }
    report, repeats = Report('contract', options), 1 if quick else REPEATS
    if Part.CALLS in chosen:
        calls(report, repeats, (False,) if quick else (False, True))
    if Part.BURN in chosen:
        burn(report, repeats)
    if Part.REPLAY in chosen:
        replay(report, replayed, seed, repeats)
    if Part.EQUAL in chosen:
        equal(report, sequences, seed)
    report.write(out)


if __name__ == '__main__':
    typer.run(main)
