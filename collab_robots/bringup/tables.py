"""The parameters of every node, declared once."""

from __future__ import annotations

from collab_robots.bringup.parameters import Parameter, Table
from collab_robots.tangle.settings import SNAPSHOT_INTERVAL

MAX_PORT = 65_535
OWN, EXTERNAL, NAV2 = 'own', 'external', 'nav2'
RAW, COMPRESSED = 'raw', 'compressed'
DDS, HORNET = 'dds', 'hornet'
LATENCY, ENERGY, THROUGHPUT = 'latency', 'energy', 'throughput'
NAMESPACED, PREFIXED = 'namespaced', 'prefixed'
LOG_LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')

NODE: Table = {
    'name': Parameter('', "This robot's name in the fleet file.", required=True),
    'autostart': Parameter(
        True, 'Configure and activate at the start; false: wait for a lifecycle manager.'
    ),
    'diagnostics_period': Parameter(
        1.0, 'Time between two messages on /diagnostics.', 0.1, 60.0, 's'
    ),
}
"""What all nodes of a robot share."""

_FLEET: Table = {
    'fleet': Parameter('', 'Path of the fleet file, the same on every robot.', required=True)
}

_UPLINK: Table = {
    'uplink': Parameter(
        0.0,
        "Bytes a second that this robot's process sends to teammates at most, the ledger first, "
        'then tiles, then work for networks: 4/5 of the link; 0: no limit.',
        0.0,
        1e9,
        'bytes/s',
    ),
}

_LIDAR: Table = {
    'lidar_pose': Parameter(
        [0.0, 0.0, 0.0], 'Lidar on the robot: x (m), y (m), yaw (rad).', size=3
    ),
}

LEDGER: Table = {
    **NODE,
    **_FLEET,
    **_UPLINK,
    'key': Parameter('', "Path of this robot's private key, mode 0600.", required=True),
    'store': Parameter('ledger.db', 'Path of the ledger file, made when missing.'),
    'tick_period': Parameter(0.1, 'Time between two looks at what is to be sent.', 0.01, 1.0, 's'),
    'status_period': Parameter(0.5, 'Time between two status messages.', 0.1, 10.0, 's'),
    'snapshot_interval': Parameter(
        SNAPSHOT_INTERVAL,
        'Final records between two snapshots; what is older is dropped. The same on all robots.',
        1_000,
        1_000_000,
        'records',
    ),
    'archive': Parameter(
        False,
        'Keep blocks that snapshots stand for on the disk, to look at the whole history.',
    ),
    'anchor': Parameter(
        '',
        'Path of the file that says where anchors are written to; anchor.json beside the fleet '
        'file if empty. It need not be there.',
    ),
    'rest_port': Parameter(0, 'Port of the IOTA core API v2 for clients; 0: off.', 0, MAX_PORT),
    'rest_host': Parameter('127.0.0.1', 'Address that it listens at; loopback keeps others out.'),
    'rest_token_file': Parameter(
        '', 'File with the token that a client needs to post, mode 0600; empty: none can post.'
    ),
    'transport': Parameter(
        DDS, 'Where blocks go: over the radio, or over a TIP-25 node.', choices=(DDS, HORNET)
    ),
    'hornet_url': Parameter('', 'URL of that node, such as http://127.0.0.1:14265.'),
    'hornet_token_file': Parameter(
        '', 'File with the token for that node, mode 0600; empty: it needs none.'
    ),
}

MAPPER: Table = {
    **NODE,
    **_UPLINK,
    **_LIDAR,
    'mapper': Parameter(
        OWN,
        'Who maps: this node from scans, or another (such as slam_toolbox) whose grid comes on '
        'slam_map and whose pose comes by tf.',
        choices=(OWN, EXTERNAL),
    ),
    'initial_pose': Parameter(
        [0.0, 0.0, 0.0],
        'Pose in the map where odometry is zero, or where the other map begins: x (m), y (m), '
        'yaw (rad).',
        size=3,
    ),
    'base_frame': Parameter(
        'base_footprint', 'Frame of the robot whose pose another mapper tells.'
    ),
    'frame_prefix': Parameter(
        '', "Put before the names of the robot's own frames, such as robot1/; map has none."
    ),
    'pose_file': Parameter('', 'Where the pose is kept for a restart; empty: nowhere.'),
    'map_period': Parameter(1.0, 'Time between two published maps.', 0.1, 60.0, 's'),
    'tile_period': Parameter(2.0, 'Time between two rounds of changed tiles.', 0.2, 60.0, 's'),
    'false_wall': Parameter(
        [0.0, 0.0, 0.0, 0.0],
        'To see what becomes of a liar: a wall that it adds to the map it shows others, '
        'x0, y0, x1, y1 (m). All zeros: it does not lie.',
        size=4,
    ),
}

TASKS: Table = {
    **NODE,
    **_FLEET,
    **_LIDAR,
    'navigator': Parameter(
        OWN,
        'Who drives: this node by cmd_vel, or Nav2 by its action navigate_to_pose.',
        choices=(OWN, NAV2),
    ),
    'decide_period': Parameter(0.5, 'Time between two decisions.', 0.1, 10.0, 's'),
    'steer_period': Parameter(0.1, 'Time between two velocity commands.', 0.02, 1.0, 's'),
}

INFERENCE: Table = {
    **NODE,
    **_UPLINK,
    **_LIDAR,
    'image_transport': Parameter(
        RAW,
        'How pictures come: on camera/image_raw, or on camera/image_raw/compressed (JPEG, PNG).',
        choices=(RAW, COMPRESSED),
    ),
    'camera_pose': Parameter(
        [0.17, 0.0, 0.0], 'Camera on the robot: x (m), y (m), yaw (rad).', size=3
    ),
    'share': Parameter(True, 'Whether it asks teammates to compute for it, and helps them.'),
    'helpers': Parameter(
        [''],
        'Who may help while the contract has no leases of tasks of the kind infer; empty: the '
        'fleet, or anybody where no ledger tells who that is.',
    ),
    'objective': Parameter(LATENCY, 'What counts most.', choices=(LATENCY, ENERGY, THROUGHPUT)),
    'max_loss': Parameter(
        0.01, 'Share of pictures more than by the whole network that may be named wrong.', 0.0, 1.0
    ),
    'deadline': Parameter(0.0, 'Until when a name is wanted; 0: none.', 0.0, 60.0, 's'),
    'slow': Parameter(
        1.0, 'How many times slower than this computer the network is to run.', 1.0, 1000.0
    ),
    'send_rate': Parameter(
        0.0,
        "Bytes a second of work for teammates' networks at most; replies do not wait; 0: no limit "
        'but uplink.',
        0.0,
        1e9,
        'bytes/s',
    ),
    'profile': Parameter(
        '', "Folder with the model's sheet.json and times.json; empty: those that come with it."
    ),
}

ROBOT: Table = {**LEDGER, **MAPPER, **TASKS, **INFERENCE}
"""What the process of a whole robot takes."""

PERSONAL = frozenset(
    (
        *('name', 'fleet', 'key', 'store', 'pose_file', 'rest_port'),
        *('initial_pose', 'frame_prefix', 'false_wall'),
    )
)
"""Parameters that robots do not have in common; each may have them in its folder's params.yaml."""
SHARED: Table = {name: each for name, each in ROBOT.items() if name not in PERSONAL}
"""Parameters that all robots of a fleet may have in common."""
OPTIONS: Table = {
    'params_file': Parameter(
        '',
        "ROS parameter file; it counts more than params.yaml in a robot's folder, and less than "
        'an argument that is not at its default.',
    ),
    'use_sim_time': Parameter(
        False, 'Whether time comes from /clock, as it does in every simulation.'
    ),
    'tf': Parameter(
        NAMESPACED,
        'namespaced: each robot has tf topics of its own, and frames have the names of REP 105; '
        "prefixed: one /tf for all, and frames begin with the robot's name, as robot1/odom.",
        choices=(NAMESPACED, PREFIXED),
    ),
    'diagnostics': Parameter('', 'Topic of diagnostics; /<namespace>/diagnostics if empty.'),
    'log_level': Parameter('info', 'What nodes log at least.', choices=LOG_LEVELS),
    'respawn': Parameter(False, 'Whether a robot whose process died is started again.'),
    'respawn_delay': Parameter(2.0, 'Time until then.', 0.0, 3600.0, 's'),
}
"""How robots are started."""

SIMULATOR: Table = {
    'world': Parameter('', 'Path of the world file.', required=True),
    'robots': Parameter(4, 'How many robots.', 1, 64),
    'seed': Parameter(1, 'Seed of everything random.', 0, 2**31 - 1),
    'split': Parameter('', 'START:END in s of a time in which the two halves are apart.'),
    'speed': Parameter(1.0, 'Simulated seconds per second, at most.', 0.01, 100.0),
    'cameras': Parameter(True, 'Whether to render what the cameras see.'),
    'radio': Parameter('', "Path of the radio's file; empty for the defaults."),
    'frame_prefixes': Parameter(
        False, 'Whether frames are named robotN/odom and so on, on one /tf for all robots.'
    ),
}

MARKERS: Table = {
    **NODE,
    'name': Parameter('markers', 'Told as the hardware on /diagnostics.'),
    'fleet': Parameter('', 'Path of the fleet file; its robots are drawn unless robots is set.'),
    'robots': Parameter([''], "Whom to draw: the robots' names, which are their namespaces."),
    'silence': Parameter(
        5.0, 'Who was not heard for that long is drawn as silent.', 1.0, 600.0, 's'
    ),
    'marker_period': Parameter(0.5, 'Time between two drawings.', 0.1, 10.0, 's'),
}

EXPLORER: Table = {
    'ledger': Parameter(
        '',
        "A robot's ledger.db, or a folder with some below it: then the newest run's first robot. "
        'Empty: the current folder.',
    ),
    'robot': Parameter('', 'URL of the explorer of a robot, which is asked instead.'),
    'fleet': Parameter(
        '', 'Fleet file; empty: looked for beside the ledger and one folder up from there.'
    ),
    'host': Parameter(
        '127.0.0.1', 'Address that the pages are at; others reach any but the loopback one.'
    ),
    'port': Parameter(8460, 'Port that the pages are at; 0: any free one.', 0, MAX_PORT),
    'token_file': Parameter(
        '', 'File with the token that browsers need, mode 0600; needed where others reach them.'
    ),
}
"""What shows a ledger takes; it is no node."""

NODES: dict[str, Table] = {
    'ledger': LEDGER,
    'mapper': MAPPER,
    'tasks': TASKS,
    'inference': INFERENCE,
    'simulator': SIMULATOR,
    'markers': MARKERS,
}
"""Every node's table, by the node's name."""
