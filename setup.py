"""Install the package, for pip and for colcon (ament_python). Dependencies: requirements.txt."""

import os
from pathlib import Path
import subprocess
import sys

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

PACKAGE = 'collab_robots'
DATA = ('config', 'contracts/build', 'launch', 'worlds')
NODES = (
    'inference_node',
    'ledger_node',
    'mapper_node',
    'markers_node',
    'robot',
    'sim_node',
    'task_node',
)

data_files = [
    ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
    (f'share/{PACKAGE}', ['package.xml']),
]
for folder in DATA:
    for path in [Path(folder), *Path(folder).rglob('*')]:
        files = [str(file) for file in sorted(path.glob('[!.]*')) if file.is_file()]
        if path.name != '__pycache__' and files:
            data_files.append((f'share/{PACKAGE}/{path}', files))

# ros2 itself runs on the system's Python. Where colcon builds with a virtual environment active, a
# sourced install/setup.bash lets all find its libraries; colcon.pkg names this hook.
hook = Path('build', 'libraries.dsv')
hook.parent.mkdir(exist_ok=True)
environment = os.environ.get('VIRTUAL_ENV')
libraries = f'lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages'
hook.write_text(
    f'append-non-duplicate;PYTHONPATH;{environment}/{libraries}\n' if environment else ''
)
data_files.append((f'share/{PACKAGE}/hook', [str(hook)]))


class BuildWithPages(build_py):
    """Build the package, and before it the web pages where node and npm are."""

    def run(self) -> None:
        """Build; without pages if they cannot be built: the script says so."""
        subprocess.run([sys.executable, 'scripts/build_frontend.py'], check=False)
        super().run()


setup(
    name=PACKAGE,
    version='0.1.0',
    description='Robot teams that map, share work and agree through a split-tolerant ledger.',
    license='Apache-2.0',
    maintainer='The collab_robots authors',
    maintainer_email='maintainers@example.com',
    python_requires='>=3.10',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={
        '': ['*.txt', 'templates/*'],
        f'{PACKAGE}.explorer.web': ['static/*', 'static/assets/*'],
        f'{PACKAGE}.inference': ['trained/*/*'],
    },
    data_files=data_files,
    cmdclass={'build_py': BuildWithPages},
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},  # tells colcon which runner to use
    zip_safe=False,
    entry_points={
        'console_scripts': [
            f'collab-robots = {PACKAGE}.cli:main',
            *(f'{node} = {PACKAGE}.nodes.{node}:main' for node in NODES),
        ],
    },
)
