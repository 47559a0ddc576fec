// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What a fleet of robots agrees on: tasks, map tiles, sightings
/// @notice Both sides of a network split execute calls, and their records are merged later into one
/// order that respects causality. This contract gives the same storage for *every* such order.
/// The rules that make it so:
///
/// 1. A call writes only facts that join: minimum or maximum of a time, a set that only grows, or
///    the sender's latest word about itself. A robot's own records are never concurrent (each
///    names the one before it), so "latest" is the same in every order and plain overwriting by
///    the same sender is enough.
/// 2. A call reverts only for what it is itself (sender, arguments) or for what its *sender* did
///    before. It never looks at what others wrote: whether that is already there depends on the order.
/// 3. Everything that involves several robots (is the award in time, whose lease counts, who
///    holds the task) is decided when facts are read, from the whole set of them.
/// 4. Lists are kept one per robot, in the order of that robot's own calls.
///
/// So an award that comes too early or names a robot that has not bid is recorded and has no
/// effect, and it gets its effect if an earlier proposal or the bid arrives from the other side.
///
/// Times are `block.timestamp`: whole seconds of the record's own time. Records of one second
/// have equal times; every tie below is resolved by rule.
contract Fleet {
    /// Seconds after the earliest proposal before an award counts. "More than" this, because times
    /// are cut to whole seconds: bidders have between one and two real seconds.
    uint40 public constant BIDDING = 1;
    /// Seconds that an award or a renewal gives.
    uint40 public constant LEASE = 10;
    /// Seconds that a task nobody holds stays open after it was last proposed or given back.
    uint40 public constant OPEN_FOR = 20;
    /// Kinds of tasks are numbered from 1: explore, inspect, verify, infer.
    uint8 public constant KINDS = 4;
    uint256 public constant MAX_ROBOTS = 64;
    uint256 public constant MAX_TILES = 32;

    enum State { Unknown, Open, Held, Done, Stale }

    struct Task {
        uint8 kind;
        int32 x;
        int32 y;
        uint32 round;
        uint40 firstProposed; // minimum
        uint40 lastProposed; // maximum
        uint64 proposers; // robots, as are the next four: bit i is roster index i
        uint64 named; // have it in their list
        uint64 bidders;
        uint64 awarded;
        uint64 completed;
    }

    /// What one robot did or got in one task.
    struct Part {
        uint32 cost; // mm; the robot's latest bid
        uint40 bidAt; // latest
        uint40 awardedAt; // maximum, by anyone
        uint40 renewedAt; // maximum
        uint40 releasedAt; // maximum
        uint40 completedAt; // minimum
    }

    struct Cell {
        int16 x;
        int16 y;
    }

    struct Tile {
        int16 x;
        int16 y;
        bytes32 digest;
    }

    struct Sighting {
        uint16 classId;
        uint16 confidence; // per mille
        int32 x; // mm in the map frame
        int32 y;
        uint40 seenAt;
    }

    struct TaskFacts {
        bytes32 key;
        uint8 kind;
        int32 x;
        int32 y;
        uint32 round;
        uint40 firstProposed;
        uint40 lastProposed;
        uint64 proposers;
        uint64 named;
        uint64 bidders;
        uint64 awarded;
        uint64 completed;
    }

    struct PartFacts {
        uint8 member;
        uint32 cost;
        uint40 bidAt;
        uint40 awardedAt;
        uint40 renewedAt;
        uint40 releasedAt;
        uint40 completedAt;
    }

    error NoSuchCall(bytes4 selector);
    error BadRoster(uint256 robots);
    error MemberTwice(address robot);
    error NotMember(address sender);
    error UnknownKind(uint8 kind);
    error NotABidder(bytes32 key, address robot);
    error BadTileCount(uint256 count, uint256 most);
    error NoDigest(int16 x, int16 y);
    error BadConfidence(uint16 permille);

    event Proposed(bytes32 indexed key, address indexed by, uint8 kind, int32 x, int32 y, uint32 round);
    event Bid(bytes32 indexed key, address indexed by, uint32 cost);
    event Awarded(bytes32 indexed key, address indexed robot, address indexed by);
    event Renewed(bytes32 indexed key, address indexed by);
    event Released(bytes32 indexed key, address indexed by);
    event Completed(bytes32 indexed key, address indexed by);
    /// Two leases live at once: `loser` must stop, `winner` holds the task.
    event Superseded(bytes32 indexed key, address indexed loser, address indexed winner);
    event TilesSubmitted(address indexed by, uint256 count);
    event Sighted(address indexed by, uint16 classId, uint16 confidence, int32 x, int32 y);

    address[] private members;
    mapping(address => uint256) private numberOf; // roster index + 1
    mapping(bytes32 => Task) private taskOf;
    mapping(bytes32 => mapping(uint256 => Part)) private partOf;
    mapping(uint256 => bytes32[]) private keysOf;
    mapping(uint256 => Cell[]) private cellsOf;
    mapping(uint256 => mapping(int16 => mapping(int16 => bytes32))) private digestOf;
    mapping(uint256 => Sighting[]) private sightingsOf;
    mapping(bytes32 => bool) private sighted;

    /// @param robots The roster in the order of the fleet file (sorted by name); 1 to 64 addresses.
    constructor(address[] memory robots) {
        if (robots.length == 0 || robots.length > MAX_ROBOTS) revert BadRoster(robots.length);
        for (uint256 i = 0; i < robots.length; i++) {
            if (numberOf[robots[i]] != 0) revert MemberTwice(robots[i]);
            numberOf[robots[i]] = i + 1;
        }
        members = robots;
    }

    fallback() external {
        revert NoSuchCall(msg.sig);
    }

    // ------------------------------------------------------------------ calls: tasks

    /// @notice Say that there is something to do at a cell. Proposing again keeps the task open.
    /// @dev Facts: earliest and latest proposal. A round above 0 is shown only once the round before
    /// it has a completion, which is in the past of every honest proposer.
    /// @param round How often this cell's task was completed before.
    /// @return key What names the task on both sides of a split.
    function propose(uint8 kind, int32 x, int32 y, uint32 round) external returns (bytes32 key) {
        uint256 me = _sender();
        if (kind == 0 || kind > KINDS) revert UnknownKind(kind);
        key = taskKey(kind, x, y, round);
        Task storage entry = taskOf[key];
        uint40 time = _now();
        if (entry.proposers == 0) {
            (entry.kind, entry.x, entry.y, entry.round, entry.firstProposed) = (kind, x, y, round, time);
        }
        if (time < entry.firstProposed) entry.firstProposed = time;
        if (time > entry.lastProposed) entry.lastProposed = time;
        entry.proposers |= _bit(me);
        _name(key, me);
        emit Proposed(key, msg.sender, kind, x, y, round);
    }

    /// @notice Offer to do a task.
    /// @dev Facts: the sender's latest cost and its time.
    /// @param cost Path cost in mm; the lowest wins.
    function bid(bytes32 key, uint32 cost) external {
        uint256 me = _sender();
        Part storage part = partOf[key][me];
        (part.cost, part.bidAt) = (cost, _now());
        taskOf[key].bidders |= _bit(me);
        _name(key, me);
        emit Bid(key, msg.sender, cost);
    }

    /// @notice Say who won. Counts as a lease of `robot` if that robot has bid and the bidding time
    /// is over; both are judged when the lease is read.
    /// @dev Facts: latest award per robot.
    function award(bytes32 key, address robot) external {
        uint256 me = _sender();
        uint256 winner = _index(robot);
        Part storage part = partOf[key][winner];
        uint40 time = _now();
        if (time > part.awardedAt) part.awardedAt = time;
        taskOf[key].awarded |= _bit(winner);
        _name(key, me);
        emit Awarded(key, robot, msg.sender);
        _tellLosers(key);
    }

    /// @notice Keep one's lease. Without an award by anyone it has no effect.
    /// @dev Facts: the sender's latest renewal.
    function renew(bytes32 key) external {
        Part storage part = _own(key);
        uint40 time = _now();
        if (time > part.renewedAt) part.renewedAt = time;
        emit Renewed(key, msg.sender);
        _tellLosers(key);
    }

    /// @notice Say that the task is done. Never undone, whoever held the lease meanwhile.
    /// @dev Facts: earliest completion per robot.
    function complete(bytes32 key) external {
        Part storage part = _own(key);
        Task storage entry = taskOf[key];
        uint64 me = _bit(_sender());
        uint40 time = _now();
        if (entry.completed & me == 0 || time < part.completedAt) part.completedAt = time;
        entry.completed |= me;
        emit Completed(key, msg.sender);
    }

    /// @notice Give the task back.
    /// @dev Facts: the sender's latest release; it ends what was awarded or renewed up to that second.
    function release(bytes32 key) external {
        Part storage part = _own(key);
        uint40 time = _now();
        if (time > part.releasedAt) part.releasedAt = time;
        emit Released(key, msg.sender);
    }

    // ------------------------------------------------------------------ calls: map and sightings

    /// @notice Say what one's own map tiles hash to.
    /// @dev Facts: the sender's latest digest per tile.
    /// @param batch 1 to MAX_TILES of them.
    function submitTiles(Tile[] calldata batch) external {
        uint256 me = _sender();
        if (batch.length == 0 || batch.length > MAX_TILES) revert BadTileCount(batch.length, MAX_TILES);
        for (uint256 i = 0; i < batch.length; i++) {
            Tile calldata tile = batch[i];
            if (tile.digest == 0) revert NoDigest(tile.x, tile.y);
            if (digestOf[me][tile.x][tile.y] == 0) cellsOf[me].push(Cell(tile.x, tile.y));
            digestOf[me][tile.x][tile.y] = tile.digest;
        }
        emit TilesSubmitted(msg.sender, batch.length);
    }

    /// @notice Say that the camera recognised something.
    /// @dev Facts: a set that only grows; the same sighting again keeps its earliest time.
    /// @param confidence Per mille. @param x In mm, map frame. @param y In mm, map frame.
    function reportSighting(uint16 classId, uint16 confidence, int32 x, int32 y) external {
        uint256 me = _sender();
        if (confidence > 1000) revert BadConfidence(confidence);
        bytes32 what = keccak256(abi.encode(me, classId, confidence, x, y));
        if (sighted[what]) return;
        sighted[what] = true;
        sightingsOf[me].push(Sighting(classId, confidence, x, y, _now()));
        emit Sighted(msg.sender, classId, confidence, x, y);
    }

    // ------------------------------------------------------------------ views: decisions

    /// @notice The name of a task.
    function taskKey(uint8 kind, int32 x, int32 y, uint32 round) public pure returns (bytes32) {
        return keccak256(abi.encode(kind, x, y, round));
    }

    /// @notice Who holds a task: of the robots with a live lease, the one with the lowest (cost, address).
    /// @dev Exact for the present; a past instant is judged with what is known today.
    /// @param time Seconds.
    /// @return robot The zero address if nobody does.
    function holder(bytes32 key, uint40 time) public view returns (address robot) {
        Task storage entry = taskOf[key];
        uint32 lowest;
        for (uint256 i = 0; i < members.length; i++) {
            if (entry.awarded & _bit(i) == 0) continue;
            (bool live, uint40 until) = _lease(key, i);
            if (!live || until <= time) continue;
            uint32 cost = partOf[key][i].cost;
            if (robot == address(0) || cost < lowest || (cost == lowest && members[i] < robot)) {
                (robot, lowest) = (members[i], cost);
            }
        }
    }

    /// @notice Where a task stands.
    /// @dev Unknown: not proposed, or the round before it is not completed. Stale: not completed,
    /// not held, and OPEN_FOR seconds passed since it was proposed, lapsed or was released.
    /// @param time Seconds.
    function stateOf(bytes32 key, uint40 time) external view returns (State) {
        Task storage entry = taskOf[key];
        if (entry.proposers == 0 || !_ready(entry)) return State.Unknown;
        if (entry.completed != 0) return State.Done;
        if (holder(key, time) != address(0)) return State.Held;
        uint40 fresh = entry.lastProposed;
        for (uint256 i = 0; i < members.length; i++) {
            if (entry.awarded & _bit(i) == 0) continue;
            (, uint40 until) = _lease(key, i);
            if (until > fresh) fresh = until;
        }
        return fresh + OPEN_FOR < time ? State.Stale : State.Open;
    }

    // ------------------------------------------------------------------ views: all facts, in pages

    /// @notice The roster, in the order of all indices.
    function roster() external view returns (address[] memory) {
        return members;
    }

    /// @notice Lengths of one robot's lists.
    function counts(uint256 member)
        external
        view
        returns (uint256 keys, uint256 cells, uint256 sightings_)
    {
        return (keysOf[member].length, cellsOf[member].length, sightingsOf[member].length);
    }

    /// @notice All facts about one task.
    /// @return facts Also of a key that was never used: then `named` is 0.
    /// @return parts For each bit of `bidders | awarded`, from the lowest.
    function task(bytes32 key) external view returns (TaskFacts memory facts, PartFacts[] memory parts) {
        facts = _facts(key);
        parts = new PartFacts[](_count(facts));
        _fill(parts, 0, facts);
    }

    /// @notice Tasks in one robot's list, each under the lowest index that has it, so that reading all
    /// robots' lists gives every task once. Includes keys that were bid on or awarded but not
    /// proposed yet (no proposers).
    /// @return facts The tasks.
    /// @return parts For each task in turn, as in `task`.
    function tasks(uint256 member, uint256 from, uint256 count)
        external
        view
        returns (TaskFacts[] memory facts, PartFacts[] memory parts)
    {
        bytes32[] memory keys = _keys(member, from, count);
        uint256 total;
        facts = new TaskFacts[](keys.length);
        for (uint256 i = 0; i < keys.length; i++) {
            facts[i] = _facts(keys[i]);
            total += _count(facts[i]);
        }
        parts = new PartFacts[](total);
        total = 0;
        for (uint256 i = 0; i < keys.length; i++) total = _fill(parts, total, facts[i]);
    }

    /// @notice One robot's tiles in the order it first submitted them, with their latest digests.
    function tiles(uint256 member, uint256 from, uint256 count) external view returns (Tile[] memory page) {
        Cell[] storage cells = cellsOf[member];
        count = _clip(cells.length, from, count);
        page = new Tile[](count);
        for (uint256 i = 0; i < count; i++) {
            Cell memory cell = cells[from + i];
            page[i] = Tile(cell.x, cell.y, digestOf[member][cell.x][cell.y]);
        }
    }

    /// @notice One robot's sightings in the order it reported them.
    function sightings(uint256 member, uint256 from, uint256 count)
        external
        view
        returns (Sighting[] memory page)
    {
        count = _clip(sightingsOf[member].length, from, count);
        page = new Sighting[](count);
        for (uint256 i = 0; i < count; i++) page[i] = sightingsOf[member][from + i];
    }

    // ------------------------------------------------------------------ inside

    function _now() private view returns (uint40) {
        return uint40(block.timestamp);
    }

    function _bit(uint256 member) private pure returns (uint64) {
        return uint64(1 << member);
    }

    function _index(address robot) private view returns (uint256) {
        uint256 number = numberOf[robot];
        if (number == 0) revert NotMember(robot);
        return number - 1;
    }

    function _sender() private view returns (uint256) {
        return _index(msg.sender);
    }

    /// The sender's part in a task it has bid on: its own earlier bid is in its past in every order.
    function _own(bytes32 key) private view returns (Part storage part) {
        uint256 me = _sender();
        if (taskOf[key].bidders & _bit(me) == 0) revert NotABidder(key, msg.sender);
        part = partOf[key][me];
    }

    function _name(bytes32 key, uint256 me) private {
        Task storage entry = taskOf[key];
        if (entry.named & _bit(me) != 0) return;
        entry.named |= _bit(me);
        keysOf[me].push(key);
    }

    function _ready(Task memory entry) private view returns (bool) {
        return entry.round == 0 || taskOf[taskKey(entry.kind, entry.x, entry.y, entry.round - 1)].completed != 0;
    }

    /// Whether a lease of `member` counts, and when it ends or ended (0: there never was one).
    function _lease(bytes32 key, uint256 member) private view returns (bool live, uint40 until) {
        Part memory part = partOf[key][member];
        Task storage entry = taskOf[key];
        if (entry.proposers == 0 || entry.bidders & _bit(member) == 0) return (false, 0);
        if (part.awardedAt <= entry.firstProposed + BIDDING) return (false, 0);
        uint40 last = part.awardedAt > part.renewedAt ? part.awardedAt : part.renewedAt;
        if (part.releasedAt >= last) return (false, part.releasedAt);
        return (true, last + LEASE);
    }

    /// Events are for people and indexers; they are no facts and may differ between orders.
    function _tellLosers(bytes32 key) private {
        uint64 awarded = taskOf[key].awarded;
        if (awarded == 0 || awarded & (awarded - 1) == 0) return; // at most one lease
        address winner = holder(key, _now());
        for (uint256 i = 0; i < members.length; i++) {
            if (awarded & _bit(i) == 0 || members[i] == winner) continue;
            (bool live, uint40 until) = _lease(key, i);
            if (live && until > _now()) emit Superseded(key, members[i], winner);
        }
    }

    function _facts(bytes32 key) private view returns (TaskFacts memory) {
        Task memory stored = taskOf[key];
        return TaskFacts(
            key, stored.kind, stored.x, stored.y, stored.round, stored.firstProposed, stored.lastProposed,
            stored.proposers, stored.named, stored.bidders, stored.awarded, stored.completed
        );
    }

    function _count(TaskFacts memory facts) private pure returns (uint256 parts) {
        for (uint64 left = facts.bidders | facts.awarded; left != 0; left &= left - 1) parts++;
    }

    /// Put the parts of one task into `parts` from `next` on; return where the next task's begin.
    function _fill(PartFacts[] memory parts, uint256 next, TaskFacts memory facts) private view returns (uint256) {
        uint64 left = facts.bidders | facts.awarded;
        for (uint8 robot = 0; left != 0; (robot++, left >>= 1)) {
            if (left & 1 == 0) continue;
            Part memory part = partOf[facts.key][robot];
            parts[next++] = PartFacts(
                robot, part.cost, part.bidAt, part.awardedAt, part.renewedAt, part.releasedAt, part.completedAt
            );
        }
        return next;
    }

    function _clip(uint256 length, uint256 from, uint256 count) private pure returns (uint256) {
        if (from >= length) return 0;
        return count < length - from ? count : length - from;
    }

    /// Keys of one robot's page whose lowest naming robot it is.
    function _keys(uint256 member, uint256 from, uint256 count) private view returns (bytes32[] memory keys) {
        count = _clip(keysOf[member].length, from, count);
        bytes32[] memory all = new bytes32[](count);
        uint256 kept;
        for (uint256 i = 0; i < count; i++) {
            bytes32 key = keysOf[member][from + i];
            if (taskOf[key].named & (_bit(member) - 1) == 0) all[kept++] = key;
        }
        keys = new bytes32[](kept);
        for (uint256 i = 0; i < kept; i++) keys[i] = all[i];
    }
}
