"""What a robot's base gives: scans, pictures, odometry, transforms."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean

from collab_robots.bringup.tables import EXTERNAL, NAV2
from collab_robots.explorer.doctor.finding import fail, Finding, Limits, ok, warn
from collab_robots.explorer.doctor.heard import Heard, Stream
from collab_robots.explorer.doctor.robot import Robot

ACTIVE = 'active'
SLAM_FRAME = 'slam_map'  # in which another program maps


def look_at_sensors(robot: Robot, heard: Heard, limits: Limits) -> Iterator[Finding]:
    """Yield what is wrong with what a robot senses."""
    yield _look_at_lidar(heard, limits)
    yield _look_at_camera(heard, limits)
    yield _look_at_odometry(heard, limits)
    if heard.frames is not None:
        yield _look_at_transforms(robot, heard, limits)


def _look_at_lidar(heard: Heard, limits: Limits) -> Finding:
    scan = heard.scan
    wrong = _look_at_stream('lidar', heard, scan, limits.lidar, limits)
    if wrong is not None:
        return wrong
    fix = (
        'clean the lens, look at cable and power; is anything of the robot before it? the driver '
        'must give range_min and range_max, m'
    )
    if not heard.rays:
        return fail('lidar', f'{scan.topic}: no scan can be used: {scan.refused}', fix)
    share = mean(heard.rays)
    told = f'{scan.topic}: {scan.rate(heard.until):.1f} Hz, {share:.0%} of the rays say something'
    if share < limits.rays:
        return warn('lidar', f'{told}; the others are NaN, 0 or out of range', fix)
    if len(heard.rays) < len(scan.arrivals):
        part = f'{len(scan.arrivals) - len(heard.rays)} of {len(scan.arrivals)} scans'
        return warn('lidar', f'{scan.topic}: {part} cannot be used: {scan.refused}', fix)
    return ok('lidar', told)


def _look_at_camera(heard: Heard, limits: Limits) -> Finding:
    image, info = heard.image, heard.camera_info
    if not image.kinds:
        return warn(
            'camera',
            f'nothing publishes {image.topic}; the robot maps, but names nothing',
            f'if it has a camera, start its driver and remap its topic to {image.topic}',
        )
    wrong = _look_at_stream('camera', heard, image, limits.camera, limits)
    if wrong is not None:
        return wrong
    fix = 'calibrate the camera (ros2 run camera_calibration cameracalibrator) and let it publish'
    if image.refused:
        return fail(
            'camera',
            f'{image.topic}: {image.refused}',
            'let the driver publish rgb8, bgr8 or mono8, or set image_transport:=compressed',
        )
    if not info.arrivals:
        told = 'is silent' if info.kinds else 'is not published'
        return warn('camera', f'{info.topic} {told}: where things are seen stays unknown', fix)
    if info.refused:
        return warn('camera', f'{info.topic}: {info.refused}', fix)
    return ok('camera', f'{image.topic}: {image.rate(heard.until):.1f} Hz')


def _look_at_odometry(heard: Heard, limits: Limits) -> Finding:
    odometry = heard.odometry
    wrong = _look_at_stream('odometry', heard, odometry, limits.odometry, limits)
    if wrong is not None:
        return wrong
    if odometry.refused:
        return fail('odometry', f'{odometry.topic}: {odometry.refused}', "restart the base's node")
    return ok('odometry', f'{odometry.topic}: {odometry.rate(heard.until):.1f} Hz')


def _look_at_stream(
    check: str, heard: Heard, stream: Stream, least: float, limits: Limits
) -> Finding | None:
    """Return what is wrong with any topic of a sensor."""
    topic = stream.topic
    if not stream.kinds:
        return fail(
            check,
            f'nothing publishes {topic}',
            f'start its driver, in the namespace of the robot or remapped to {topic}',
        )
    others = sorted(set(stream.kinds) - {stream.kind})
    if others:
        return fail(
            check,
            f'{topic} has the type {others[0]}, not {stream.kind}',
            f'remap the right topic of the driver to {topic}',
        )
    if not stream.arrivals:
        return fail(
            check,
            f'{topic}: silent for {heard.seconds:g} s, though something publishes it',
            "look at the sensor's cable and power, and the log of its driver; restart that",
        )
    rate = stream.rate(heard.until)
    if rate < least:
        return fail(
            check,
            f'{topic}: {rate:.1f} Hz, less than {least:g}',
            'let its driver publish more often; if it does, the computer or the network is full',
        )
    if heard.clock and abs(stream.age) > limits.age:
        told = f'{abs(stream.age):.1f} s {"old" if stream.age > 0 else "in the future"}'
        return warn(
            check,
            f'{topic}: stamps are {told} when they arrive',
            'set the clock of the computer that its driver runs on (chrony), and use_sim_time '
            'there as here',
        )
    return None


def _look_at_transforms(robot: Robot, heard: Heard, limits: Limits) -> Finding:
    assert heard.frames is not None
    prefix = robot.values['frame_prefix']
    odom, base = heard.frames
    wanted = [(odom, base)]
    external = robot.values['mapper'] == EXTERNAL
    if external:
        wanted.append((f'{prefix}{SLAM_FRAME}', f'{prefix}odom'))
    elif heard.states.get('mapper') == ACTIVE and heard.rays:
        wanted.append(('map', f'{prefix}odom'))
    needed = external or robot.values['navigator'] == NAV2
    say = fail if needed else warn
    for frames in wanted:
        told = f'{frames[0]} to {frames[1]}'
        by = "the base's node" if frames == (odom, base) else 'what makes the map'
        if frames not in heard.transforms:
            return say(
                'tf',
                f'no transform from {told}: Nav2, RViz and slam_toolbox need it',
                f'let {by} publish it on tf, in the namespace of the robot',
            )
        age = heard.transforms[frames]
        if heard.clock and abs(age) > limits.age:
            return say(
                'tf',
                f'the newest transform from {told} is {age:.1f} s old',
                f'restart {by}; its clock and use_sim_time must be as here',
            )
    return ok('tf', ', '.join(f'{parent} to {child}' for parent, child in wanted))
