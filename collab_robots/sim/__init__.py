"""
The simulated world: MuJoCo robots with lidar, camera and odometry, and the radio between them.

MuJoCo decides at its first import how it renders, so that is settled here: off the screen with
EGL where its library is installed, not at all where it is not (the robots then have no cameras).
"""

import ctypes
import os


def _rendering() -> str:
    try:
        ctypes.CDLL('libEGL.so.1')
    except OSError:
        return 'disabled'
    return 'egl'


os.environ.setdefault('MUJOCO_GL', _rendering())
