"""
Every topic name, once.

All names but the global ones are relative, so a namespace makes a second robot (REP-144, Nav2).
"""

# what a robot's base, or the simulator in its place, provides
SCAN = 'scan'
ODOM = 'odom'
TF = 'tf'
TF_STATIC = 'tf_static'
IMAGE = 'camera/image_raw'
IMAGE_COMPRESSED = 'camera/image_raw/compressed'
CAMERA_INFO = 'camera/camera_info'
CMD_VEL = 'cmd_vel'
BATTERY = 'battery_state'
SLAM_MAP = 'slam_map'  # of another program that maps
GROUND_TRUTH = 'ground_truth'  # simulation only, for reports only

# what a robot's nodes tell one another
CALL = 'ledger/call'
REFUSED = 'ledger/refused'
LEDGER_STATUS = 'ledger/status'
TASKS = 'ledger/tasks'
TILES = 'ledger/tiles'
ROSTER = 'ledger/roster'
MAP = 'map'
POSE = 'pose'
PATH = 'path'
TASK_STATE = 'task_state'
DETECTIONS = 'detections'
INFERENCE = 'inference'
INFER = 'infer'  # the action

# for people: the fleet as markers; relative to the node that draws it, not to a robot
MARKERS_TASKS = 'markers/tasks'
MARKERS_TRUST = 'markers/trust'
MARKERS_LINKS = 'markers/links'
MARKERS_DETECTIONS = 'markers/detections'

# what robots tell one another; the radio, or a remapping to /fleet/<kind>, joins tx and rx
KINDS = ('block', 'have', 'request', 'chunk', 'tile', 'work', 'reply', 'offer')

# global
CLOCK = '/clock'
DIAGNOSTICS = '/diagnostics'
MISSION = '/mission'
RADIO_STATUS = '/radio/status'
REAL_TIME_FACTOR = '/sim/real_time_factor'

RUN = 'run'
HOLD = 'hold'


def sent(kind: str) -> str:
    """Return the topic on which a robot sends messages of one kind to its teammates."""
    return f'radio/tx/{kind}'


def heard(kind: str) -> str:
    """Return the topic on which a robot hears messages of one kind from its teammates."""
    return f'radio/rx/{kind}'


def direct_remappings() -> list[tuple[str, str]]:
    """Return the remappings that join tx and rx on real robots, where DDS is the radio."""
    return [(topic, f'/fleet/{kind}') for kind in KINDS for topic in (sent(kind), heard(kind))]
