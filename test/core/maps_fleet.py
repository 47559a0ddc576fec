"""A fleet whose robots sketch regions, for tests of the contract Maps."""

from solidity import address, Chain, SYSTEM

FULL = (1 << 256) - 1
EMPTY = (FULL, 0)  # a region with nothing in it
REINSTATE = 5


def row(number, columns=range(16)):
    """Return the mask of a row of cells, or of some of them."""
    return sum(1 << 16 * number + column for column in columns)


def walled(*masks):
    """Return a sketch with these cells occupied, and the others free."""
    wall = sum(masks)
    return FULL & ~wall, wall


LIE = walled(row(8))  # a wall right across


class MapsFleet:
    """
    Robots 0, 1, … with a chain of their own.

    :param weights: of each robot.
    """

    def __init__(self, weights):
        self.robots = [address(number + 1) for number in range(len(weights))]
        self.chain = Chain()
        self.fleet = self.chain.deploy('Fleet', self.robots, list(weights))
        self.maps = self.chain.deploy('Maps', self.fleet)

    def call(self, robot, function, *arguments, at=None):
        return self.chain.call(self.robots[robot], self.maps, function, *arguments, at=at)

    def sketch(self, robot, found, region=(0, 0), at=None):
        """Submit a sketch; return the events' names."""
        done = self.call(robot, 'submitSketch', *region, *found, at=at)
        assert done.ok, done
        return [event[0] for event in done.events]

    def ask(self, function, *arguments):
        return self.chain.view(self.maps, function, *arguments)

    @property
    def convicted(self):
        return robots_in(self.ask('convicted'))

    def close_epoch(self):
        """Expel the convicted, and make the changes that robots voted for."""
        done = self.chain.call(SYSTEM, self.fleet, 'closeEpoch', self.ask('convicted'))
        assert done.ok, done

    def reinstate(self, robot):
        """Let all others vote for it, and close the epoch."""
        revision = self.chain.view(self.fleet, 'robotAt', robot).revision
        for other, sender in enumerate(self.robots):
            if other != robot:
                change = (REINSTATE, robot, revision, 0, bytes(32), bytes(32))
                assert self.chain.call(sender, self.fleet, 'vote', change).ok
        self.close_epoch()

    def facts(self, *regions):
        """Return all facts that sketches of these regions may have changed."""
        ids = [self.ask('regionId', *region) for region in regions]
        ids += [self.ask('verdictId', generation) for generation in (0, 1, 2)]
        return [self.chain.fact(self.maps, key) for key in ids]


def robots_in(mask):
    return {robot for robot in range(64) if mask >> robot & 1}
