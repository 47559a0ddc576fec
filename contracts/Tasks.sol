// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Fleet} from './Fleet.sol';
import {Maps} from './Maps.sol';
import {Assignment} from './lib/Assignment.sol';

/// @title What there is to do, who offers to do it, and who does it
/// @notice Robots propose tasks, bid on them, award them and report them done. An award is a lease
/// that has to be renewed, so a dead robot's task comes back by itself.
///
/// The rules that every contract of the suite follows are in Fleet.sol. So an award that comes too
/// early or names a robot that has not bid is recorded and has no effect, and it gets its effect if an
/// earlier proposal or the bid arrives from the other side of a split. Who holds a task, who should
/// get it, and why nobody does, is decided when facts are read: by `judge` and `assign`. A completion
/// that counts once counts for ever, whatever arrives later: work is never undone.
///
/// Times are `block.timestamp`: whole seconds of the record's own time. Records of one second have
/// equal times; every tie is resolved by rule: the lower cost, then the lower address.
///
/// A task's key *is* the task: kind, x, y and round side by side. So both sides of a split name the
/// same task, a region to verify has a task before anybody proposed one, and nobody needs a list to
/// read a key.
contract Tasks {
    /// @notice Seconds after the earliest proposal before an award counts. "More than" this, because
    /// times are cut to whole seconds: bidders have between one and two real seconds.
    uint40 public constant BIDDING = 1;
    /// @notice Seconds more where bids are sealed, to reveal them.
    uint40 public constant REVEALING = 2;
    /// @notice Seconds that an award or a renewal gives.
    uint40 public constant LEASE = 10;
    /// @notice Seconds that a task nobody holds stays open after it was last proposed or given back.
    uint40 public constant OPEN_FOR = 20;
    /// @notice Most tasks in one `awardBatch` or `assign`.
    uint256 public constant MAX_BATCH = 32;
    /// @notice A bid of at most so many mm says that its robot need not drive: it gets such a task
    /// beside any other.
    uint32 public constant AT_HAND = 1;

    uint256 private constant VERIFY = 3;
    uint256 private constant KINDS = 4;
    uint40 private constant NEVER = type(uint40).max;
    uint64 private constant LATE = 1 << 32; // above every cost
    int256 private constant ASIDE = 1 << 40; // above all costs together
    int256 private constant NO_BID = 1 << 240; // above all that it may cost to leave tasks aside

    /// @notice Where a task stands.
    enum State { Unknown, Open, Held, Done, Stale, Missed }

    /// @notice A robot's latest word on what it would take to do a task.
    enum Form { None, Open, Sealed, Revealed }

    /// @notice Why a robot has a task or does not.
    enum Reason {
        Holder, // its lease is the best one
        Outbid, // it has a lease, and so has a better robot
        NotAwarded, // its bid counts, and nobody awarded it the task
        BiddingOpen, // its bid counts, and it is too early to award the task
        AwardedTooEarly, // its bid counts; the award came before the bidding was over
        NoBid, // awarded, but it never bid
        NotRevealed, // its bid is sealed
        NotSealed, // it bid openly where bids are to be sealed
        Lapsed, // it did not renew its lease; its bid is used up
        Released, // it gave the task back, or its bid
        Incapable, // it lacks a capability that the task needs
        Convicted, // of a wrong map
        Inactive, // left the fleet, or was expelled
        Party, // it has mapped the region that is to be verified: another robot has to look
        HasDone, // its completion counts
        Closed // it could have the task if anybody could
    }

    /// @notice Why a task is in its state.
    enum Why {
        NotProposed, // or, to verify: the region is not disputed
        RoundBefore, // the round before is neither done nor missed
        NoBids, // that count
        BiddingOpen,
        NotAwarded,
        Held,
        Completed,
        Forgotten, // nobody proposed it again
        DeadlinePassed
    }

    /// @notice What a task asks for. Several proposals of one task join.
    struct Terms {
        uint8 priority; // maximum: the highest is assigned first
        uint40 deadline; // s; earliest, 0: none
        uint32 capabilities; // union; bits as in Fleet.setCapabilities
        bool sealedBids; // if any proposal says so
    }

    /// @notice An award within a batch; see `award`.
    struct Award {
        bytes32 key;
        address robot;
        uint40 proposedAt;
    }

    struct Task {
        uint40 firstProposed; // minimum
        uint40 lastProposed; // maximum
        uint64 proposers; // robots, as are the masks below: bit i is roster index i
        Terms terms;
        uint64 parts; // have a Part
        uint64 bidders; // ever bid openly or revealed a bid
        uint64 completed;
    }

    /// What one robot did or got in one task.
    struct Part {
        Form form; // latest, as are the next two
        uint32 cost; // mm
        uint40 bidAt; // of a revealed bid: when it was sealed
        uint40 awardedAt; // maximum, by anyone
        uint40 renewedAt; // maximum
        uint40 releasedAt; // maximum
        uint40 completedAt; // minimum
    }

    /// What one robot's later calls about a task are held against: its latest words.
    struct Own {
        bytes32 commitment;
        uint40 gaveAt; // when it awarded the task …
        uint8 gaveTo; // … and to whom
    }

    /// What is stored under a key.
    struct Facts {
        Task task;
        Part[] parts; // for each bit of task.parts, from the lowest
        Own[] owns; // likewise
    }

    /// @notice One robot's part in a judgement.
    struct Opinion {
        uint8 robot; // roster index
        Reason reason;
        uint64 rank; // what bids are compared by: cost in mm, more for one sealed after the bidding
        uint40 leaseUntil; // when its lease ends or ended; 0: none that counts
        uint40 completedAt; // only of a completion that counts
    }

    /// @notice A task at a time, and why.
    struct Judgement {
        State state;
        Why why;
        uint8 holder; // roster index; only if held
        uint40 leaseUntil; // only if held
        uint40 since; // first proposed, or disputed; 0: neither
        uint40 awardFrom; // an award before this time has no effect
        uint40 until; // before this time nothing changes by itself
        Terms terms;
        Opinion[] opinions; // of all robots with a part, by roster index
    }

    /// What an opinion is made from, beside the robot's part.
    struct Case {
        bytes32 key;
        uint40 time;
        bool verify;
        bool open;
        uint64 convicted;
        uint64 active;
        uint64 parties; // to what is to be verified
        Task task;
    }

    /// @notice The contract has no such call.
    /// @param selector What was called.
    error NoSuchCall(bytes4 selector);
    /// @notice There is no such kind of task.
    /// @param kind What was given.
    error UnknownKind(uint256 kind);
    /// @notice To verify a region there is one round, and regions are 16-bit.
    /// @param x As given.
    /// @param y As given.
    /// @param round As given.
    error NoSuchRegion(int32 x, int32 y, uint32 round);
    /// @notice The deadline is not in the future.
    /// @param deadline As given, s.
    error DeadlineOver(uint40 deadline);
    /// @notice The sender neither proposed nor bid on this task.
    /// @param key The task.
    error UnknownTask(bytes32 key);
    /// @notice The sender never bid on this task, so it cannot be its own.
    /// @param key The task.
    /// @param robot The sender.
    error NotABidder(bytes32 key, address robot);
    /// @notice The sender itself awarded this task, and that lease runs.
    /// @param key The task.
    /// @param robot Who was awarded it.
    /// @param until End of that lease, s.
    error LeaseRuns(bytes32 key, address robot, uint40 until);
    /// @notice By what the award relies on, the bidding is not over.
    /// @param key The task.
    /// @param from When it will be, s.
    error TooEarly(bytes32 key, uint256 from);
    /// @notice A robot cannot pass a task on to itself.
    /// @param key The task.
    error ToItself(bytes32 key);
    /// @notice There is no commitment, or it is all zeros.
    /// @param key The task.
    error NoCommitment(bytes32 key);
    /// @notice What was revealed is not what was sealed.
    /// @param key The task.
    /// @param sealed_ The commitment.
    /// @param revealed What was revealed hashes to.
    error WrongReveal(bytes32 key, bytes32 sealed_, bytes32 revealed);
    /// @notice Too few or too many in one call.
    /// @param count As given.
    /// @param most At least 1 and at most so many.
    error BadBatch(uint256 count, uint256 most);
    /// @notice Keys have to be in ascending order, each once.
    /// @param key The first that is not.
    error NotAscending(bytes32 key);

    /// @notice There is something to do.
    /// @param key The task.
    /// @param by Who says so.
    /// @param kind See `propose`, as for the rest.
    /// @param x See `propose`.
    /// @param y See `propose`.
    /// @param round See `propose`.
    /// @param terms Of this proposal.
    event Proposed(
        bytes32 indexed key, address indexed by, uint8 kind, int32 x, int32 y, uint32 round, Terms terms
    );
    /// @notice A robot offers to do a task.
    /// @param key The task.
    /// @param by The robot.
    /// @param cost In mm.
    event Bid(bytes32 indexed key, address indexed by, uint32 cost);
    /// @notice A robot offers to do a task at a cost that it keeps to itself.
    /// @param key The task.
    /// @param by The robot.
    /// @param commitment See `commitmentOf`.
    event BidSealed(bytes32 indexed key, address indexed by, bytes32 commitment);
    /// @notice A robot says what it had sealed.
    /// @param key The task.
    /// @param by The robot.
    /// @param cost In mm.
    event Revealed(bytes32 indexed key, address indexed by, uint32 cost);
    /// @notice Somebody says who won.
    /// @param key The task.
    /// @param robot The winner.
    /// @param by Who says so.
    event Awarded(bytes32 indexed key, address indexed robot, address indexed by);
    /// @notice A robot keeps its lease.
    /// @param key The task.
    /// @param by The robot.
    event Renewed(bytes32 indexed key, address indexed by);
    /// @notice A robot gives a task or its bid back.
    /// @param key The task.
    /// @param by The robot.
    event Released(bytes32 indexed key, address indexed by);
    /// @notice A robot says that it has done a task.
    /// @param key The task.
    /// @param by The robot.
    event Completed(bytes32 indexed key, address indexed by);
    /// @notice Two leases live at once: `loser` must stop, `winner` holds the task.
    /// @param key The task.
    /// @param loser Who does not.
    /// @param winner Who does.
    event Superseded(bytes32 indexed key, address indexed loser, address indexed winner);

    Fleet private immutable fleet;
    Maps private immutable maps;
    mapping(bytes32 => Task) private taskOf;
    mapping(bytes32 => mapping(uint256 => Part)) private partOf;
    mapping(bytes32 => mapping(uint256 => Own)) private ownOf;

    /// @notice Begin without tasks.
    /// @param fleet_ Who the robots are.
    /// @param maps_ Who is convicted, and what is disputed.
    constructor(Fleet fleet_, Maps maps_) {
        (fleet, maps) = (fleet_, maps_);
    }

    fallback() external {
        revert NoSuchCall(msg.sig);
    }

    // ------------------------------------------------------------------ calls

    /// @notice Say that there is something to do. Proposing again keeps the task open.
    /// @dev Facts: earliest and latest proposal, and terms. A round above 0 is shown only once the
    /// round before it is done or missed. A region is open to be verified exactly while it is
    /// disputed: proposing that only adds terms.
    /// @param kind 1 explore, 2 inspect, 3 verify, 4 infer.
    /// @param x Cell of the map, of 1 m; to verify: region of Maps.sol; to infer: as the fleet agrees.
    /// @param y Likewise.
    /// @param round How often this task was done or missed before.
    /// @param terms What it asks for; all zeros for nothing.
    /// @return key What names the task on both sides of a split.
    function propose(uint8 kind, int32 x, int32 y, uint32 round, Terms calldata terms)
        external
        returns (bytes32 key)
    {
        uint64 me = _bit(_sender());
        key = taskKey(kind, x, y, round);
        _check(key);
        uint40 time = _now();
        if (terms.deadline != 0 && terms.deadline <= time) revert DeadlineOver(terms.deadline);
        Task memory task = taskOf[key];
        if (task.proposers == 0 || time < task.firstProposed) task.firstProposed = time;
        if (time > task.lastProposed) task.lastProposed = time;
        task.proposers |= me;
        Terms memory joined = task.terms;
        if (terms.priority > joined.priority) joined.priority = terms.priority;
        if (terms.deadline != 0 && (joined.deadline == 0 || terms.deadline < joined.deadline)) {
            joined.deadline = terms.deadline;
        }
        joined.capabilities |= terms.capabilities;
        joined.sealedBids = joined.sealedBids || terms.sealedBids;
        taskOf[key] = task;
        emit Proposed(key, msg.sender, kind, x, y, round, terms);
    }

    /// @notice Offer to do a task, or change the offer.
    /// @dev Facts: the sender's latest cost and its time.
    /// @param key The task, proposed or not.
    /// @param cost Path cost in mm; the lowest wins.
    function bid(bytes32 key, uint32 cost) external {
        (uint256 me, Part storage part) = _offer(key);
        (part.form, part.cost, part.bidAt) = (Form.Open, cost, _now());
        taskOf[key].bidders |= _bit(me);
        emit Bid(key, msg.sender, cost);
    }

    /// @notice Offer to do a task, and say at what cost later. It replaces an earlier offer.
    /// @dev Facts: the sender's latest commitment and its time.
    /// @param key The task, proposed or not.
    /// @param commitment What `commitmentOf` returns.
    function bidSealed(bytes32 key, bytes32 commitment) external {
        if (commitment == 0) revert NoCommitment(key);
        (uint256 me, Part storage part) = _offer(key);
        (part.form, part.bidAt) = (Form.Sealed, _now());
        ownOf[key][me].commitment = commitment;
        emit BidSealed(key, msg.sender, commitment);
    }

    /// @notice Say what was sealed. It counts where bids are open, too.
    /// @dev Facts: the sender's latest cost.
    /// @param key The task.
    /// @param cost Path cost in mm.
    /// @param salt What made the commitment impossible to guess.
    function reveal(bytes32 key, uint32 cost, bytes32 salt) external {
        uint256 me = _sender();
        Part storage part = partOf[key][me];
        if (part.form != Form.Sealed) revert NoCommitment(key);
        bytes32 commitment = ownOf[key][me].commitment;
        bytes32 revealed = commitmentOf(key, msg.sender, cost, salt);
        if (revealed != commitment) revert WrongReveal(key, commitment, revealed);
        (part.form, part.cost) = (Form.Revealed, cost);
        taskOf[key].bidders |= _bit(me);
        emit Revealed(key, msg.sender, cost);
    }

    /// @notice Say who won. Counts as a lease of `robot` if that robot has bid and the bidding time
    /// is over; both are judged when the lease is read.
    /// @dev Facts: latest award per robot, the sender's latest award.
    /// @param key The task.
    /// @param robot The winner.
    /// @param proposedAt When the sender saw it proposed first (to verify: disputed), s.
    function award(bytes32 key, address robot, uint40 proposedAt) external {
        _award(_sender(), key, robot, proposedAt);
        _tellLosers(key);
    }

    /// @notice Say who won several tasks. As `award`, but losers hear of it only when they renew.
    /// @param batch 1 to MAX_BATCH of them.
    function awardBatch(Award[] calldata batch) external {
        uint256 me = _sender();
        if (batch.length == 0 || batch.length > MAX_BATCH) revert BadBatch(batch.length, MAX_BATCH);
        for (uint256 i = 0; i < batch.length; i++) {
            _award(me, batch[i].key, batch[i].robot, batch[i].proposedAt);
        }
    }

    /// @notice Keep one's lease. Without an award by anyone it has no effect.
    /// @dev Facts: the sender's latest renewal.
    /// @param key The task.
    function renew(bytes32 key) external {
        (, Part storage part) = _own(key);
        if (_now() > part.renewedAt) part.renewedAt = _now();
        emit Renewed(key, msg.sender);
        _tellLosers(key);
    }

    /// @notice Give the task back, or only one's bid.
    /// @dev Facts: the sender's latest release; it ends what was awarded or renewed up to that second.
    /// @param key The task.
    function release(bytes32 key) external {
        (, Part storage part) = _own(key);
        _release(part);
        emit Released(key, msg.sender);
    }

    /// @notice Pass one's lease on to another bidder.
    /// @dev Facts: those of `release` and of `award`.
    /// @param key The task.
    /// @param robot Who shall do it.
    function reassign(bytes32 key, address robot) external {
        (uint256 me, Part storage part) = _own(key);
        if (robot == msg.sender) revert ToItself(key);
        _release(part);
        emit Released(key, msg.sender);
        _give(me, key, robot);
    }

    /// @notice Say that the task is done. Never undone, whoever held the lease meanwhile; it counts
    /// if anybody awarded the sender the task when the bidding was over.
    /// @dev Facts: earliest completion per robot. A region is verified as long as it is disputed:
    /// there, a completion says that the sender has looked and leaves the task to others.
    /// @param key The task.
    function complete(bytes32 key) external {
        (uint256 me, Part storage part) = _own(key);
        Task storage task = taskOf[key];
        if (task.completed & _bit(me) == 0 || _now() < part.completedAt) part.completedAt = _now();
        task.completed |= _bit(me);
        emit Completed(key, msg.sender);
    }

    // ------------------------------------------------------------------ views

    /// @notice The name of a task.
    /// @param kind See `propose`.
    /// @param x See `propose`.
    /// @param y See `propose`.
    /// @param round See `propose`.
    /// @return The key: from the lowest bits, 32 of round, y and x each, then the kind.
    function taskKey(uint8 kind, int32 x, int32 y, uint32 round) public pure returns (bytes32) {
        return bytes32(
            (uint256(kind) << 96) | (uint256(uint32(x)) << 64) | (uint256(uint32(y)) << 32) | round
        );
    }

    /// @notice What seals a bid.
    /// @param key The task.
    /// @param robot Who bids.
    /// @param cost Path cost in mm.
    /// @param salt 32 random bytes, kept until the bid is revealed.
    /// @return The commitment.
    function commitmentOf(bytes32 key, address robot, uint32 cost, bytes32 salt)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(key, robot, cost, salt));
    }

    /// @notice Everything that is stored about a task.
    /// @param id The key.
    /// @return The ABI encoding of `Facts`; empty if there is nothing.
    function fact(bytes32 id) external view returns (bytes memory) {
        Task memory task = taskOf[id];
        if (task.proposers | task.parts == 0) return '';
        uint256 count = _count(task.parts);
        Facts memory facts = Facts(task, new Part[](count), new Own[](count));
        uint256 next;
        for (uint256 i = 0; task.parts >> i != 0; i++) {
            if (task.parts & _bit(i) == 0) continue;
            (facts.parts[next], facts.owns[next++]) = (partOf[id][i], ownOf[id][i]);
        }
        return abi.encode(facts);
    }

    /// @notice Where a task stands at a time, who holds it, and why nobody else does.
    /// @dev Exact for the present; a past instant is judged with what is known today.
    /// @param key The task.
    /// @param time Seconds.
    /// @return The judgement.
    function judge(bytes32 key, uint40 time) external view returns (Judgement memory) {
        return _judge(key, time);
    }

    /// @notice Who should do what: of the ways to assign open tasks to robots those that assign most
    /// of the highest priority, then of the next, and so on; of these the one of lowest total cost.
    /// @dev From the bids that count (see `judge`). A robot gets one task, and none while it holds
    /// one; but a task at hand (AT_HAND) goes to its lowest bidder beside all that.
    /// @param keys 1 to MAX_BATCH tasks, in ascending order.
    /// @param absent Robots that get nothing: bit i is roster index i.
    /// @param busy Robots that get only what is at hand: those that hold a task.
    /// @param time Seconds.
    /// @return robots For each task: who should do it; the zero address if nobody, or if it is not
    /// open.
    function assign(bytes32[] calldata keys, uint64 absent, uint64 busy, uint40 time)
        external
        view
        returns (address[] memory robots)
    {
        if (keys.length == 0 || keys.length > MAX_BATCH) revert BadBatch(keys.length, MAX_BATCH);
        robots = new address[](keys.length);
        Judgement[] memory found = new Judgement[](keys.length);
        uint64 bidders;
        for (uint256 i = 0; i < keys.length; i++) {
            if (i > 0 && keys[i] <= keys[i - 1]) revert NotAscending(keys[i]);
            found[i] = _judge(keys[i], time);
            if (found[i].state != State.Open) continue;
            uint64 some;
            (robots[i], some) = _offers(found[i].opinions, absent);
            bidders |= some;
        }
        uint256[] memory columns = _byAddress(bidders & ~(absent | busy));
        (int256[][] memory costs, int256[] memory aside) = _costs(found, robots, columns);
        uint256[] memory columnOf = Assignment.solve(costs, aside, columns.length - 1);
        for (uint256 i = 0; i < keys.length; i++) {
            uint256 column = columnOf[i + 1];
            if (column != 0) robots[i] = address(uint160(columns[column] >> 8));
        }
    }

    // ------------------------------------------------------------------ inside: calls

    function _now() private view returns (uint40) {
        return uint40(block.timestamp);
    }

    function _bit(uint256 robot) private pure returns (uint64) {
        return uint64(1 << robot);
    }

    function _sender() private view returns (uint256) {
        return fleet.indexOf(msg.sender);
    }

    /// Refuse what is no key.
    function _check(bytes32 key) private pure {
        uint256 kind = uint256(key) >> 96;
        if (kind == 0 || kind > KINDS) revert UnknownKind(kind);
        if (kind != VERIFY) return;
        (int32 x, int32 y, uint32 round) = _place(key);
        if (!_isRegion(x, y, round)) revert NoSuchRegion(x, y, round);
    }

    function _isRegion(int32 x, int32 y, uint32 round) private pure returns (bool) {
        return x == int16(x) && y == int16(y) && round == 0;
    }

    function _place(bytes32 key) private pure returns (int32 x, int32 y, uint32 round) {
        uint256 bits = uint256(key);
        return (int32(uint32(bits >> 64)), int32(uint32(bits >> 32)), uint32(bits));
    }

    /// The sender's part in a task that it is about to bid on.
    function _offer(bytes32 key) private returns (uint256 me, Part storage part) {
        me = _sender();
        _check(key);
        part = partOf[key][me];
        (address robot, uint40 until) = _given(key, me);
        if (until > _now()) revert LeaseRuns(key, robot, until);
        taskOf[key].parts |= _bit(me);
    }

    /// The sender's part in a task it has bid on: its own earlier bid is in its past in every order.
    function _own(bytes32 key) private view returns (uint256 me, Part storage part) {
        me = _sender();
        part = partOf[key][me];
        if (taskOf[key].bidders & _bit(me) == 0) {
            _mustKnow(key, me);
            revert NotABidder(key, msg.sender);
        }
        (address robot, uint40 until) = _given(key, me);
        if (robot != msg.sender && until > _now()) revert LeaseRuns(key, robot, until);
    }

    function _mustKnow(bytes32 key, uint256 me) private view {
        Task storage task = taskOf[key];
        bool known = (task.proposers | task.bidders) & _bit(me) != 0;
        if (!known && ownOf[key][me].commitment == 0) revert UnknownTask(key);
    }

    /// Whom the sender awarded the task last, and until when that lease runs as far as the sender's
    /// own calls tell (0: it awarded it to nobody, or gave it back).
    function _given(bytes32 key, uint256 me) private view returns (address robot, uint40 until) {
        Own storage own = ownOf[key][me];
        uint40 last = own.gaveAt;
        if (last == 0) return (address(0), 0);
        robot = fleet.addressOf(own.gaveTo);
        if (robot == msg.sender) {
            Part storage part = partOf[key][me];
            if (part.renewedAt > last) last = part.renewedAt;
            if (part.releasedAt >= last) return (robot, 0);
        }
        until = last + LEASE;
    }

    function _award(uint256 me, bytes32 key, address robot, uint40 proposedAt) private {
        _mustKnow(key, me);
        uint256 from = uint256(proposedAt) + BIDDING + 1;
        if (_now() < from) revert TooEarly(key, from);
        _give(me, key, robot);
    }

    function _give(uint256 me, bytes32 key, address robot) private {
        uint256 winner = fleet.indexOf(robot);
        Part storage part = partOf[key][winner];
        if (_now() > part.awardedAt) part.awardedAt = _now();
        Own storage own = ownOf[key][me];
        (own.gaveAt, own.gaveTo) = (_now(), uint8(winner));
        taskOf[key].parts |= _bit(winner) | _bit(me);
        emit Awarded(key, robot, msg.sender);
    }

    function _release(Part storage part) private {
        if (_now() > part.releasedAt) part.releasedAt = _now();
        part.form = Form.None;
    }

    // ------------------------------------------------------------------ inside: judgements

    function _judge(bytes32 key, uint40 time) private view returns (Judgement memory it) {
        Case memory c;
        (c.key, c.time, c.task) = (key, time, taskOf[key]);
        c.verify = uint256(key) >> 96 == VERIFY;
        (c.convicted, c.active) = (maps.convicted(), fleet.active());
        (it.terms, it.until) = (c.task.terms, NEVER);
        _stand(c, it);
        c.open = it.state == State.Open;
        it.awardFrom = it.since + BIDDING + 1 + (it.terms.sealedBids ? REVEALING : 0);
        it.opinions = new Opinion[](_count(c.task.parts));
        uint256 next;
        Opinion memory best;
        for (uint256 i = 0; c.task.parts >> i != 0; i++) {
            if (c.task.parts & _bit(i) == 0) continue;
            Opinion memory opinion = it.opinions[next++];
            _consider(c, it, opinion, i);
            if (opinion.reason != Reason.Outbid) continue;
            if (it.state != State.Held || _isBetter(opinion, best)) best = opinion;
            it.state = State.Held;
        }
        if (it.state == State.Held) {
            (best.reason, it.why) = (Reason.Holder, Why.Held);
            (it.holder, it.leaseUntil) = (best.robot, best.leaseUntil);
        }
        if (c.open) _conclude(c, it);
    }

    /// Where a task stands apart from bids and leases.
    function _stand(Case memory c, Judgement memory it) private view {
        (int32 x, int32 y, uint32 round) = _place(c.key);
        if (!c.verify) {
            it.since = c.task.firstProposed;
        } else if (_isRegion(x, y, round)) {
            it.since = maps.disputedSince(int16(x), int16(y));
            c.parties = maps.mappedBy(int16(x), int16(y));
        }
        bool open = c.verify ? it.since != 0 : c.task.proposers != 0;
        bytes32 before = bytes32(uint256(c.key) - 1);
        if (!(c.verify && open) && _isDone(c.key, c.task)) {
            (it.state, it.why) = (State.Done, Why.Completed);
        } else if (!open) {
            (it.state, it.why) = (State.Unknown, Why.NotProposed);
        } else if (round != 0 && !_isOver(before, c.time)) {
            (it.state, it.why) = (State.Unknown, Why.RoundBefore);
            if (taskOf[before].terms.deadline != 0) it.until = taskOf[before].terms.deadline;
        } else if (it.terms.deadline != 0 && it.terms.deadline <= c.time) {
            (it.state, it.why) = (State.Missed, Why.DeadlinePassed);
        } else {
            it.state = State.Open;
            if (it.terms.deadline != 0) it.until = it.terms.deadline;
        }
    }

    function _isDone(bytes32 key, Task memory task) private view returns (bool) {
        for (uint256 i = 0; task.completed >> i != 0; i++) {
            if (_counts(key, task, i)) return true;
        }
        return false;
    }

    function _isOver(bytes32 key, uint40 time) private view returns (bool) {
        Task memory task = taskOf[key];
        uint40 deadline = task.terms.deadline;
        return (deadline != 0 && deadline <= time) || _isDone(key, task);
    }

    /// Whether a robot's completion counts. Nothing that arrives later can change a yes: bids and
    /// awards stay, and the first proposal only gets earlier.
    function _counts(bytes32 key, Task memory task, uint256 robot) private view returns (bool) {
        if (task.completed & task.bidders & _bit(robot) == 0) return false;
        uint40 awardedAt = partOf[key][robot].awardedAt;
        if (uint256(key) >> 96 == VERIFY) return awardedAt != 0;
        return task.proposers != 0 && awardedAt > task.firstProposed + BIDDING;
    }

    /// Form an opinion on a robot's part; whoever has a lease is taken for outbid.
    function _consider(Case memory c, Judgement memory it, Opinion memory o, uint256 robot) private view {
        Part memory part = partOf[c.key][robot];
        bool late = it.terms.sealedBids && part.bidAt > it.since + BIDDING;
        (o.robot, o.rank) = (uint8(robot), part.cost + (late ? LATE : 0));
        o.reason = _exclusion(c, it, part.form, robot);
        if (o.reason == Reason.HasDone) o.completedAt = part.completedAt;
        uint40 last = part.awardedAt > part.renewedAt ? part.awardedAt : part.renewedAt;
        bool awarded = part.awardedAt != 0 && part.awardedAt >= it.awardFrom;
        bool leased = awarded && part.releasedAt < last;
        if (awarded) o.leaseUntil = leased ? last + LEASE : part.releasedAt;
        if (o.reason != Reason.NotAwarded) return;
        if (leased && o.leaseUntil > c.time) {
            o.reason = Reason.Outbid;
            if (o.leaseUntil < it.until) it.until = o.leaseUntil;
        } else if (leased && part.bidAt < o.leaseUntil) {
            o.reason = Reason.Lapsed;
        } else if (c.parties & _bit(robot) != 0) {
            o.reason = Reason.Party;
        } else if (part.awardedAt != 0 && !awarded) {
            o.reason = Reason.AwardedTooEarly;
        } else if (c.time < it.awardFrom) {
            o.reason = Reason.BiddingOpen;
        }
    }

    /// Why a robot's bid does not count; NotAwarded if it does.
    function _exclusion(Case memory c, Judgement memory it, Form form, uint256 robot)
        private
        view
        returns (Reason)
    {
        uint64 bit = _bit(robot);
        uint32 needed = it.terms.capabilities;
        if (_counts(c.key, c.task, robot)) return Reason.HasDone;
        if (c.active & bit == 0) return Reason.Inactive;
        if (c.convicted & bit != 0) return Reason.Convicted;
        if (needed != 0 && needed & ~fleet.capabilities(robot) != 0) return Reason.Incapable;
        if (form == Form.None) return c.task.bidders & bit == 0 ? Reason.NoBid : Reason.Released;
        if (form == Form.Sealed) return Reason.NotRevealed;
        if (form == Form.Open && it.terms.sealedBids) return Reason.NotSealed;
        return c.open ? Reason.NotAwarded : Reason.Closed;
    }

    /// Say where an open task stands, and until when.
    function _conclude(Case memory c, Judgement memory it) private pure {
        uint40 fresh = c.task.lastProposed;
        bool bids;
        for (uint256 i = 0; i < it.opinions.length; i++) {
            Opinion memory opinion = it.opinions[i];
            if (opinion.leaseUntil > fresh) fresh = opinion.leaseUntil;
            bids = bids || _isBid(opinion);
        }
        uint40 stale = c.verify ? NEVER : fresh + OPEN_FOR + 1;
        if (c.time < it.awardFrom && it.awardFrom < it.until) it.until = it.awardFrom;
        if (it.state == State.Held) return;
        if (stale <= c.time) {
            (it.state, it.why) = (State.Stale, Why.Forgotten);
            return;
        }
        if (stale < it.until) it.until = stale;
        it.why = !bids ? Why.NoBids : c.time < it.awardFrom ? Why.BiddingOpen : Why.NotAwarded;
    }

    function _isBid(Opinion memory opinion) private pure returns (bool) {
        Reason reason = opinion.reason;
        return reason >= Reason.NotAwarded && reason <= Reason.AwardedTooEarly;
    }

    function _isBetter(Opinion memory one, Opinion memory other) private view returns (bool) {
        if (one.rank != other.rank) return one.rank < other.rank;
        return fleet.addressOf(one.robot) < fleet.addressOf(other.robot);
    }

    /// Events are for people and indexers; they are no facts and may differ between orders. What it
    /// takes to judge whether a region is disputed is too much for a call.
    function _tellLosers(bytes32 key) private {
        if (uint256(key) >> 96 == VERIFY) return;
        Judgement memory it = _judge(key, _now());
        for (uint256 i = 0; i < it.opinions.length; i++) {
            if (it.opinions[i].reason != Reason.Outbid) continue;
            address loser = fleet.addressOf(it.opinions[i].robot);
            emit Superseded(key, loser, fleet.addressOf(it.holder));
        }
    }

    // ------------------------------------------------------------------ inside: assignment

    /// Who has a task at hand (the zero address: nobody), and who bids on it.
    function _offers(Opinion[] memory opinions, uint64 absent)
        private
        view
        returns (address atHand, uint64 bidders)
    {
        Opinion memory best;
        best.rank = AT_HAND + 1;
        for (uint256 i = 0; i < opinions.length; i++) {
            uint64 bit = _bit(opinions[i].robot);
            if (!_isBid(opinions[i]) || absent & bit != 0) continue;
            bidders |= bit;
            if (opinions[i].rank <= AT_HAND && _isBetter(opinions[i], best)) best = opinions[i];
        }
        if (best.rank <= AT_HAND) return (fleet.addressOf(best.robot), 0);
    }

    /// Robots in the order of their addresses, from 1 on: 160 bits of address, 8 of roster index.
    function _byAddress(uint64 robots) private view returns (uint256[] memory sorted) {
        sorted = new uint256[](_count(robots) + 1);
        uint256 count;
        for (uint256 i = 0; robots >> i != 0; i++) {
            if (robots & _bit(i) == 0) continue;
            uint256 robot = (uint256(uint160(fleet.addressOf(i))) << 8) | i;
            uint256 place = ++count;
            for (; sorted[place - 1] > robot; place--) sorted[place] = sorted[place - 1];
            sorted[place] = robot;
        }
    }

    /// What it costs to give a task (row) to a robot (column) or to leave it aside: that costs more
    /// than all tasks of lower priority together.
    function _costs(Judgement[] memory found, address[] memory given, uint256[] memory robots)
        private
        pure
        returns (int256[][] memory costs, int256[] memory aside)
    {
        uint256[64] memory columnOf;
        for (uint256 j = 1; j < robots.length; j++) columnOf[uint8(robots[j])] = j;
        (costs, aside) = (new int256[][](found.length + 1), new int256[](found.length + 1));
        for (uint256 i = 0; i < found.length; i++) {
            int256[] memory row = new int256[](robots.length);
            for (uint256 j = 1; j < row.length; j++) row[j] = NO_BID;
            costs[i + 1] = row;
            if (found[i].state != State.Open || given[i] != address(0)) continue; // best left aside
            aside[i + 1] = _aside(found, i);
            Opinion[] memory opinions = found[i].opinions;
            for (uint256 j = 0; j < opinions.length; j++) {
                uint256 column = columnOf[opinions[j].robot];
                if (column != 0 && _isBid(opinions[j])) row[column] = int256(uint256(opinions[j].rank));
            }
        }
    }

    function _aside(Judgement[] memory found, uint256 task) private pure returns (int256 cost) {
        cost = ASIDE;
        for (uint256 i = 0; i < found.length; i++) {
            if (found[i].terms.priority < found[task].terms.priority) cost *= 2 * int256(MAX_BATCH);
        }
    }

    function _count(uint64 mask) private pure returns (uint256 bits) {
        for (; mask != 0; mask &= mask - 1) bits++;
    }
}
