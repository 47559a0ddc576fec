"""Start one real robot's nodes: DDS is the radio."""

from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from collab_robots.bringup.topics import direct_remappings
from launch import LaunchDescription

ARGUMENTS = {
    'name': ("This robot's name in the fleet file; also its namespace.", None),
    'fleet': ('Path of the fleet file, the same on every robot.', None),
    'key': ("Path of this robot's private key, mode 0600.", None),
    'store': ('Path of the ledger file, made when missing.', 'ledger.db'),
    'initial_pose': ('Pose in the map where odometry is zero: [x, y, yaw].', '[0.0, 0.0, 0.0]'),
    'pose_file': ('Where the pose is kept for a restart.', 'pose.json'),
    'rest_port': ('Port of the IOTA core API v2 for clients; 0: off.', '0'),
    'rest_host': ('Address that it listens at; loopback keeps others out.', '127.0.0.1'),
    'rest_token_file': ('File with the token that a client needs to post.', ''),
    'transport': ("'dds': blocks go over the radio; 'hornet': over a TIP-25 node.", 'dds'),
    'hornet_url': ('URL of that node, such as http://127.0.0.1:14265.', ''),
    'hornet_token_file': ('File with the token for that node.', ''),
    'share': ('Name pictures together with teammates; false: each alone.', 'true'),
    'helpers': ('Who may help, while the ledger has no leases for it; [""]: all.', '[""]'),
    'objective': ('What counts: latency, energy, throughput.', 'latency'),
    'deadline': ("Until when a picture's name is wanted, s; 0: none.", '0.0'),
    'max_loss': ('Share of pictures that may be named wrong for it.', '0.01'),
    'send_rate': ('Bytes a second that inference may send; 0: no limit.', '0.0'),
    'profile': ("Folder with the network's profile; empty: the one that comes with it.", ''),
    'use_sim_time': ('Take the time from /clock.', 'false'),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the robot's process."""
    declared = [
        DeclareLaunchArgument(name, description=text, default_value=default)
        for name, (text, default) in ARGUMENTS.items()
    ]
    parameters = {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, kind in (
            ('name', str),
            ('fleet', str),
            ('key', str),
            ('store', str),
            ('initial_pose', list[float]),
            ('pose_file', str),
            ('rest_port', int),
            ('rest_host', str),
            ('rest_token_file', str),
            ('transport', str),
            ('hornet_url', str),
            ('hornet_token_file', str),
            ('share', bool),
            ('helpers', list[str]),
            ('objective', str),
            ('deadline', float),
            ('max_loss', float),
            ('send_rate', float),
            ('profile', str),
            ('use_sim_time', bool),
        )
    }
    robot = Node(
        package='collab_robots',
        executable='robot',
        namespace=LaunchConfiguration('name'),
        parameters=[parameters],
        remappings=direct_remappings(),
        output='screen',
    )
    return LaunchDescription([*declared, robot])
