"""
Answers about a ledger: the one form that command line, terminal, web pages and JSON show.

Times are s of the fleet's clock, positions m in the map frame, ids ``0x`` and hexadecimal digits
as IOTA writes them. Robots go by their names.
"""

from collab_robots.explorer.book.answers.base import Answer, Page
from collab_robots.explorer.book.answers.blocks import Block, BlockDetails, Call, Dag, State
from collab_robots.explorer.book.answers.ledger import Activity, Found, Hit, News, Overview
from collab_robots.explorer.book.answers.maps import Contribution, Map, Region, Sighting, Sketch
from collab_robots.explorer.book.answers.models import Model, Models
from collab_robots.explorer.book.answers.robots import Event, Robot, RobotDetails
from collab_robots.explorer.book.answers.splits import Side, Split
from collab_robots.explorer.book.answers.tasks import Bar, Lease, Task, TaskDetails
from collab_robots.explorer.book.answers.trust import Conflict, Dispute, Evidence, Trust, Verdict

__all__ = [
    'Activity',
    'Answer',
    'Bar',
    'Block',
    'BlockDetails',
    'Call',
    'Conflict',
    'Contribution',
    'Dag',
    'Dispute',
    'Event',
    'Evidence',
    'Found',
    'Hit',
    'Lease',
    'Map',
    'Model',
    'Models',
    'News',
    'Overview',
    'Page',
    'Region',
    'Robot',
    'RobotDetails',
    'Side',
    'Sighting',
    'Sketch',
    'Split',
    'State',
    'Task',
    'TaskDetails',
    'Trust',
    'Verdict',
]
