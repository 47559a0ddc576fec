"""What a robot's network says: who is there, whom it hears, whose clock is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from collab_robots.explorer.doctor.finding import fail, Finding, Limits, listed, ok, warn
from collab_robots.explorer.doctor.heard import Heard, Said
from collab_robots.explorer.doctor.robot import Robot, ROBOT_NODES
from collab_robots.explorer.doctor.sensors import ACTIVE, look_at_sensors

FINALITY_S = 3.0  # of listening, before it can be said that nothing becomes final
VENDORS = {'010f': 'Fast DDS', '0110': 'Cyclone DDS', '0101': 'RTI Connext'}
STEPS = {'unconfigured': 'configure', 'inactive': 'activate'}


def look_at_network(robot: Robot, heard: Heard, limits: Limits) -> Iterator[Finding]:
    """Yield what is wrong with a running robot; what follows from something else is left out."""
    if not heard.nodes:
        yield fail(
            'discovery',
            f'no ROS node is seen in domain {heard.domain} within {heard.seconds:g} s',
            f'start the robot; if it runs, use its environment here: ROS_DOMAIN_ID (now '
            f'{heard.domain}), ROS_DISCOVERY_SERVER, ROS_AUTOMATIC_DISCOVERY_RANGE, '
            'RMW_IMPLEMENTATION; the firewall must let UDP 7400 to 65535 pass',
        )
        return
    yield ok('discovery', f'{len(heard.nodes)} nodes in domain {heard.domain}')
    if not heard.clock:
        yield fail(
            'clock',
            'use_sim_time is set, but nothing is published on /clock',
            'start the simulator, or set use_sim_time:=false on a real robot',
        )
    yield from _look_at_domain(robot, heard)
    yield from _look_at_nodes(robot, heard)
    yield from look_at_sensors(robot, heard, limits)
    own = heard.said.get(robot.name, [])
    if own:
        yield from _look_at_ledger(robot, own)
        yield _look_at_peers(robot, heard, own[-1])
        if heard.clock:
            yield _look_at_clocks(robot, heard, limits)


def is_alone(robot: Robot, heard: Heard) -> bool:
    """Tell whether a robot misses teammates."""
    own = heard.said.get(robot.name, [])
    return not own or not robot.teammates <= set(own[-1].peers)


def _look_at_domain(robot: Robot, heard: Heard) -> Iterator[Finding]:
    for fleet, robots in sorted(heard.strangers.items()):
        same = sorted(robots & {robot.name, *robot.teammates})
        fix = f'give that fleet another ROS_DOMAIN_ID than {heard.domain}'
        if same:
            fix += f'; if {listed(same)} belongs to this one, bring it the same fleet.yaml'
        told = f'{listed(robots)} of another fleet ({fleet[:12]})'
        yield fail('domain', f'{told} is in domain {heard.domain}', fix)
    if heard.ledgers > 1:
        yield fail(
            'domain',
            f'{heard.ledgers} processes are {robot.name}: each robot must have its own name, '
            'namespace and key',
            f'stop the one that is too many: ros2 topic info -v {robot.namespace}/ledger/status',
        )
    kinds = sorted(set(heard.vendors.values()))
    if len(kinds) > 1:
        told = ', '.join(
            f'{name} speaks {VENDORS.get(kind, kind)}'
            for name, kind in sorted(heard.vendors.items())
        )
        yield warn('rmw', told, 'set the same RMW_IMPLEMENTATION on all robots')
    if not heard.strangers and heard.ledgers < 2:
        yield ok('domain', f'no other fleet in domain {heard.domain}')


def _look_at_nodes(robot: Robot, heard: Heard) -> Iterator[Finding]:
    if not heard.states:
        yield fail(
            'nodes',
            f'no node of {robot.name} runs in {robot.namespace}',
            f'start it: ros2 launch collab_robots robot.launch.py name:={robot.name} ..., or '
            f'systemctl status collab-robots@{robot.name}; is the namespace {robot.namespace}?',
        )
        return
    bad = False
    for name in ROBOT_NODES:
        state = heard.states.get(name)
        if state == ACTIVE:
            continue
        bad = True
        whole = f'{robot.namespace}/{name}'
        if state is None:
            yield fail('nodes', f'{whole} does not run', "look at the end of the robot's log")
        elif state in STEPS:
            steps = list(STEPS.values())[list(STEPS).index(state) :]
            fix = '; '.join(f'ros2 lifecycle set {whole} {step}' for step in steps)
            yield fail('nodes', f'{whole} is {state}, not active', fix)
        else:
            told = f'is {state}' if state else 'does not answer'
            yield fail('nodes', f'{whole} {told}', "look at the robot's log; start it again")
    if not bad:
        yield ok('nodes', f'{listed(heard.states)} active')


def _look_at_ledger(robot: Robot, own: list[Said]) -> Iterator[Finding]:
    last = own[-1]
    if last.alarm:
        yield fail(
            'alarm', last.alarm, f'collab-robots ledger summary {robot.values["store"]} says more'
        )
    if robot.name in last.equivocators:
        yield fail(
            'alarm',
            f'two records with one number were signed with the key of {robot.name}',
            'never run two robots with one key, nor an old copy of a ledger; give it a new one: '
            'collab-robots fleet rekey',
        )
    elif last.equivocators:
        yield warn(
            'alarm',
            f'{listed(last.equivocators)} signed two records with one number',
            'it does not count any more; find out whether its key was copied, then: collab-robots '
            'fleet rekey',
        )
    if min(one.waiting for one in own) > 0 and len(own) > 1:
        yield warn(
            'lag',
            f'{last.waiting} blocks wait for others that do not come',
            'bring the robot near the others, or one near that holds them',
        )
    elif _is_stuck(robot, own):
        yield warn(
            'finality',
            f'{last.pending} blocks are not final, and none became so',
            'nothing, if the fleet is split: work goes on, and is final once more than 2/3 of '
            f'the fleet reach one another; now heard: {listed(last.peers) or "nobody"}',
        )
    else:
        yield ok('finality', f'{last.final} blocks final, {last.pending} on the way')


def _is_stuck(robot: Robot, own: list[Said]) -> bool:
    period = robot.values['status_period']
    enough = (len(own) - 1) * period >= FINALITY_S
    return enough and own[0].final == own[-1].final and min(one.pending for one in own) > 0


def _look_at_peers(robot: Robot, heard: Heard, last: Said) -> Finding:
    missing = robot.teammates - set(last.peers)
    if not missing:
        return ok('peers', f'hears {listed(last.peers)}' if last.peers else 'it is alone')
    seen = sorted(missing & {name for name, said in heard.said.items() if said})
    fix = (
        f'bring {listed(missing)} near and switch on; the same ROS_DOMAIN_ID ({heard.domain}), '
        'network and discovery on all: see docs/field.md'
    )
    if seen:
        fix = (
            f'{listed(seen)} is on the network, but what it says to teammates does not come: '
            'start all with robot.launch.py, which joins radio/tx and radio/rx on /fleet'
        )
    if missing == robot.teammates:
        return fail('peers', f'hears nobody of {listed(missing)}', fix)
    return warn('peers', f'does not hear {listed(missing)}', fix)


def _look_at_clocks(robot: Robot, heard: Heard, limits: Limits) -> Finding:
    """Compare the stamps of ledger statuses; the one that was fastest here counts."""
    offsets = {name: -min(one.age for one in said) for name, said in heard.said.items() if said}
    own = offsets.pop(robot.name)
    if not offsets:
        return ok('clock', 'no teammate to compare it with')
    ahead = {name: offset - own for name, offset in offsets.items()}
    middle = median([0.0, *ahead.values()]) if len(ahead) > 1 else 0.0
    worst = max({robot.name: 0.0, **ahead}.items(), key=lambda item: abs(item[1] - middle))
    name, off = worst[0], worst[1] - middle
    told = f'{name} is {abs(off):.1f} s {"ahead of" if off > 0 else "behind"}'
    others = 'the others' if len(ahead) > 1 else robot.name
    told = f'the clock of {told} that of {others}'
    fix = (
        'let chrony set both from one source (docs/field.md), then on the wrong one, while it '
        'stands: sudo chronyc makestep'
    )
    if abs(off) > limits.max_skew:
        return fail('clock', f'{told}: records from the future are put off', fix)
    if abs(off) > limits.skew:
        return warn('clock', told, fix)
    return ok('clock', f'at most {abs(off):.3f} s from that of {listed(ahead)}')
