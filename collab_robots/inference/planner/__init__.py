"""Who does which part of a frame: the best option for one frame, the best line for many."""

from collab_robots.inference.planner.choice import ALONE, Choice, Plan
from collab_robots.inference.planner.line import Leg, LinePlan, plan_line
from collab_robots.inference.planner.objective import ENERGY, LATENCY, Objective, THROUGHPUT
from collab_robots.inference.planner.plan import Planner
from collab_robots.inference.planner.table import HelperState

__all__ = [
    'ALONE',
    'ENERGY',
    'LATENCY',
    'THROUGHPUT',
    'Choice',
    'HelperState',
    'Leg',
    'LinePlan',
    'Objective',
    'Plan',
    'Planner',
    'plan_line',
]
