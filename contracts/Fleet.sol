// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Identity} from './lib/Identity.sol';

/// @title Who is in the fleet: roster, votes, epochs
/// @notice Both sides of a network split execute calls, and their records are merged later into one
/// order that respects causality. Every contract of the suite gives the same facts for *every* such
/// order. The rules that make it so:
///
/// 1. A call writes only facts that join: minimum or maximum of a time, a set that only grows, or
///    the sender's latest word about itself. A robot's own records are never concurrent (each
///    names the one before it), so "latest" is the same in every order and plain overwriting by
///    the same sender is enough.
/// 2. A call reverts only for what it is itself (sender, arguments, time) or for what its *sender*
///    did before. It never looks at what others wrote: whether that is already there depends on
///    the order. So calls carry what they rely on.
/// 3. Everything that involves several robots is decided when facts are read, from the whole set of
///    them.
/// 4. Every event's first topic is the id of the fact that changed, and `fact` returns all that is
///    stored under an id. Equal facts, equal answers of every view.
/// 5. What needs a position that all agree on changes between *epochs* only: the ledger closes an epoch
///    at a final position, so every call is before it in every order, or after it in every order.
///    Who is in the roster, with which key and weight, who is expelled: a call may look at these.
///
/// This contract is that exception. Votes are each robot's latest word; they are counted when an
/// epoch is closed, and what has 2/3 of the weight is applied then, all at once, by a rule that does not
/// depend on the order of votes.
///
/// A robot keeps its index for ever. An address, once used, is never used again: a key that somebody
/// else may know cannot come back.
contract Fleet {
    /// @notice Who alone may close epochs: the ledger. Nobody has its key.
    address public constant SYSTEM = 0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE;
    /// @notice Robots ever; one bit of a mask each.
    uint256 public constant MAX_ROBOTS = 64;
    /// @notice The heaviest a robot may be.
    uint32 public constant MAX_WEIGHT = 1_000_000;
    /// @notice Changes that a robot may vote for at a time.
    uint256 public constant MAX_VOTES = 4;
    /// @notice The id of the fact about the fleet as a whole.
    bytes32 public constant FLEET_ID = 'fleet';

    /// @dev What `numberOf` has for addresses that were used once and are no more.
    uint8 private constant FORMER = type(uint8).max;

    /// @notice What a vote is about.
    enum Kind { None, Join, Leave, Rekey, Reweigh, Reinstate }

    /// @notice Why a change cannot be applied (now).
    enum Obstacle {
        None,
        Malformed, // no kind, or a field that this kind does not use is not zero, or one that it needs is
        BadWeight, // not from 1 to MAX_WEIGHT
        BadName, // not a lowercase letter, then lowercase letters, digits and underscores
        NameTaken, // by a robot that joined
        KeyTaken, // the address is, or was, a robot's
        Full, // no index is left
        NoRobot, // it is not in the roster
        Outdated, // the robot's entry has changed since, or has not come to that revision
        NotExpelled, // so it cannot be reinstated
        LastOne // nobody would be left
    }

    /// @notice A change of the roster that can be voted for.
    /// @param kind Which of the following it uses: the rest is zero.
    /// @param robot Index of the robot; all but Join.
    /// @param revision How often that robot's entry has changed: a vote is about the robot as it is; all but Join.
    /// @param weight Join, Reweigh.
    /// @param key Ed25519 public key; Join, Rekey.
    /// @param name ASCII, zeros at the end; Join.
    struct Change {
        Kind kind;
        uint8 robot;
        uint32 revision;
        uint32 weight;
        bytes32 key;
        bytes32 name;
    }

    /// @notice All that is stored about a change.
    /// @param change What it says.
    /// @param voters Who voted for it: bit i is index i.
    /// @param appliedIn The epoch that began with it, 0 if it is not applied.
    struct ChangeFact {
        Change change;
        uint64 voters;
        uint32 appliedIn;
    }

    /// @notice All that is stored about a robot.
    /// @param robot Its address.
    /// @param weight 0 if it has left; an expelled robot keeps it for the day it is reinstated.
    /// @param revision How often this entry has changed by an epoch.
    /// @param generation How often it was reinstated.
    /// @param signer Its secp256k1 address for anchors on another chain, 0 if it has none. Two robots may
    /// name the same: who counts signers counts each once.
    /// @param capabilities What it can do, bits: 0 drive, 1 lidar, 2 camera, 3 inference.
    /// @param key Ed25519 public key; zero for the robots of the beginning, whose keys the fleet file has.
    /// @param name Zero likewise.
    struct Robot {
        address robot;
        uint32 weight;
        uint32 revision;
        uint32 generation;
        address signer;
        uint32 capabilities;
        bytes32 key;
        bytes32 name;
    }

    /// @notice A robot's signature of an anchor for another chain. This contract does not check it: the one
    /// over there does, and knows what was signed. All zeros for none.
    /// @param height How many records are final where it was signed.
    /// @param v As `ecrecover` takes it, like the others.
    /// @param r Likewise.
    /// @param s Likewise.
    struct AnchorFact {
        uint64 height;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// @notice All that is stored about the fleet as a whole.
    /// @param epoch How many were closed.
    /// @param size Indices ever given.
    /// @param members Who is in the roster, expelled or not: bit i is index i.
    /// @param expelled Who of them is expelled.
    struct Head {
        uint32 epoch;
        uint8 size;
        uint64 members;
        uint64 expelled;
    }

    /// @notice A change that somebody votes for.
    /// @param id Of the change.
    /// @param change What it says.
    /// @param voters Who does, without the convicted.
    /// @param weight Of these voters.
    /// @param needed What is enough: 2/3 of the roster.
    /// @param obstacle Why it would not be applied nevertheless.
    struct Pending {
        bytes32 id;
        Change change;
        uint64 voters;
        uint256 weight;
        uint256 needed;
        Obstacle obstacle;
    }

    /// @notice A selector that this contract does not have.
    /// @param selector First four bytes of the call.
    error NoSuchCall(bytes4 selector);
    /// @notice Not 1 to MAX_ROBOTS robots, or not a weight for each.
    /// @param robots How many.
    /// @param weights How many.
    error BadRoster(uint256 robots, uint256 weights);
    /// @notice A weight of the beginning is not from 1 to MAX_WEIGHT.
    /// @param robot Whose.
    /// @param weight It.
    error BadGenesisWeight(address robot, uint32 weight);
    /// @notice The roster of the beginning names a robot twice.
    /// @param robot It.
    error MemberTwice(address robot);
    /// @notice Never in the roster, or no more.
    /// @param robot It.
    error NotMember(address robot);
    /// @notice Expelled; it may be reinstated by 2/3 of the rest.
    /// @param robot It.
    error Expelled(address robot);
    /// @notice Only the ledger closes epochs.
    /// @param sender Who tried.
    error NotSystem(address sender);
    /// @notice The change could not be applied if all voted for it.
    /// @param id Of the change.
    /// @param obstacle Why.
    error CannotApply(bytes32 id, Obstacle obstacle);
    /// @notice The sender votes for it already.
    /// @param id Of the change.
    /// @param sender Who tried.
    error VotedAlready(bytes32 id, address sender);
    /// @notice The sender votes for MAX_VOTES other changes: it must withdraw one first.
    /// @param sender Who tried.
    /// @param most MAX_VOTES.
    error TooManyVotes(address sender, uint256 most);
    /// @notice The sender does not vote for this change, or it is applied.
    /// @param id Of the change.
    /// @param sender Who tried.
    error NoOpenVote(bytes32 id, address sender);

    /// @notice A robot votes for a change.
    /// @param id Of the change.
    /// @param by Who votes.
    /// @param change What for.
    event Voted(bytes32 indexed id, address indexed by, Change change);
    /// @notice It does no more.
    /// @param id Of the change.
    /// @param by Whose vote it was.
    event Withdrawn(bytes32 indexed id, address indexed by);
    /// @notice 2/3 voted for a change, and it is made.
    /// @param id Of the change.
    /// @param kind Which.
    /// @param epoch That begins with it.
    event Applied(bytes32 indexed id, Kind kind, uint32 epoch);
    /// @notice A robot's entry is new or has changed by an epoch.
    /// @param id Of the fact about the robot.
    /// @param robot Its address now.
    /// @param revision How often its entry has changed.
    event RobotChanged(bytes32 indexed id, address indexed robot, uint32 revision);
    /// @notice A robot was convicted, and is expelled.
    /// @param id Of the fact about the robot.
    /// @param robot It.
    event Expulsion(bytes32 indexed id, address indexed robot);
    /// @notice An epoch began, by closing the one before if there was one.
    /// @param id FLEET_ID.
    /// @param epoch The new one.
    event EpochBegan(bytes32 indexed id, uint32 epoch);
    /// @notice What a robot can do.
    /// @param id Of the fact about the robot.
    /// @param robot It.
    /// @param capabilities Bits: 0 drive, 1 lidar, 2 camera, 3 inference.
    event CapabilitiesSet(bytes32 indexed id, address indexed robot, uint32 capabilities);
    /// @notice With what a robot signs anchors.
    /// @param id Of the fact about the robot.
    /// @param robot It.
    /// @param signer secp256k1 address; zero for none.
    event SignerRegistered(bytes32 indexed id, address indexed robot, address signer);
    /// @notice A robot signed an anchor.
    /// @param id Of the fact about its newest signature.
    /// @param robot It.
    /// @param height How many records are final there.
    event AnchorSigned(bytes32 indexed id, address indexed robot, uint64 height);

    Head private head;
    mapping(address robot => uint8 number) private numberOf; // index + 1; FORMER
    mapping(uint256 index => Robot) private robotOf;
    mapping(uint256 index => AnchorFact) private anchors;
    mapping(bytes32 name => bool) private nameTaken;
    mapping(bytes32 id => ChangeFact) private changeOf;
    /// @dev Where an unapplied change has a voter's bit, it is here too, and the other way round.
    mapping(uint256 index => bytes32[MAX_VOTES]) private votesOf;

    /// @notice Begin with a roster, in epoch 0.
    /// @param robots Addresses in the order of the fleet file (sorted by name), 1 to MAX_ROBOTS.
    /// @param weights_ Of each, 1 to MAX_WEIGHT.
    constructor(address[] memory robots, uint32[] memory weights_) {
        uint256 count = robots.length;
        if (count == 0 || count > MAX_ROBOTS || count != weights_.length) {
            revert BadRoster(count, weights_.length);
        }
        for (uint256 i = 0; i < count; i++) {
            if (numberOf[robots[i]] != 0) revert MemberTwice(robots[i]);
            if (!_isWeight(weights_[i])) revert BadGenesisWeight(robots[i], weights_[i]);
            _enter(robots[i], weights_[i], 0, 0);
        }
        emit EpochBegan(FLEET_ID, 0);
    }

    /// @notice Refuses calls that the contract does not have.
    fallback() external {
        revert NoSuchCall(msg.sig);
    }

    // ------------------------------------------------------------------ calls: votes

    /// @notice Vote for a change. It is made at the end of the epoch in which 2/3 of the weight vote for it.
    /// @dev Fact: the sender's latest word about this change. A vote for what was applied or has become
    /// impossible gives its place to this one.
    /// @param change What to change.
    /// @return id The id of the change.
    function vote(Change calldata change) external returns (bytes32 id) {
        uint256 me = indexOf(msg.sender);
        id = changeId(change);
        Obstacle why = obstacle(change);
        if (why != Obstacle.None) revert CannotApply(id, why);
        ChangeFact storage entry = changeOf[id];
        if (entry.voters & _bit(me) != 0) revert VotedAlready(id, msg.sender);
        _takePlace(me, id);
        entry.change = change;
        entry.voters |= _bit(me);
        emit Voted(id, msg.sender, change);
    }

    /// @notice Take one's vote back.
    /// @dev Fact: the sender's latest word about this change.
    /// @param id Of the change.
    function withdraw(bytes32 id) external {
        uint256 me = indexOf(msg.sender);
        ChangeFact storage entry = changeOf[id];
        if (entry.voters & _bit(me) == 0 || entry.appliedIn != 0) revert NoOpenVote(id, msg.sender);
        for (uint256 place = 0; place < MAX_VOTES; place++) {
            if (votesOf[me][place] == id) _dropVote(me, place);
        }
    }

    // ------------------------------------------------------------------ calls: about oneself

    /// @notice Say what one can do.
    /// @dev Fact: the sender's latest word.
    /// @param mask Bits: 0 drive, 1 lidar, 2 camera, 3 inference; others are free.
    function setCapabilities(uint32 mask) external {
        uint256 me = indexOf(msg.sender);
        robotOf[me].capabilities = mask;
        emit CapabilitiesSet(robotId(me), msg.sender, mask);
    }

    /// @notice Say with which secp256k1 address one signs anchors.
    /// @dev Fact: the sender's latest word. A new key of the robot makes it void.
    /// @param signer_ The address; zero for none.
    function registerSigner(address signer_) external {
        uint256 me = indexOf(msg.sender);
        robotOf[me].signer = signer_;
        emit SignerRegistered(robotId(me), msg.sender, signer_);
    }

    /// @notice Sign, for another chain, what was agreed on up to a height.
    /// @dev Fact: the sender's latest word.
    /// @param signed The signature; of height 0 for none.
    function signAnchor(AnchorFact memory signed) external {
        uint256 me = indexOf(msg.sender);
        if (signed.height == 0) delete anchors[me];
        else anchors[me] = signed;
        emit AnchorSigned(anchorId(me), msg.sender, signed.height);
    }

    // ------------------------------------------------------------------ calls: the ledger

    /// @notice Close the epoch, at a final position: expel the convicted, then make the changes that have
    /// 2/3 of the weight of this epoch's roster without the votes of the convicted.
    /// @dev Changes are made in the order of their ids; one that another has made impossible is not made.
    /// Nobody is expelled if nobody would be left.
    /// @param convicted Bit i is index i; bits of robots that are not active mean nothing.
    function closeEpoch(uint64 convicted) external {
        if (msg.sender != SYSTEM) revert NotSystem(msg.sender);
        bytes32[] memory ids = _passed(convicted);
        uint32 next = ++head.epoch;
        uint64 out = _leaving(convicted);
        head.expelled |= out;
        for (uint256 i = 0; out != 0; (i++, out >>= 1)) {
            if (out & 1 == 0) continue;
            emit Expulsion(robotId(i), robotOf[i].robot);
            _dropVotes(i);
            _revise(i);
        }
        for (uint256 i = 0; i < ids.length; i++) {
            ChangeFact storage entry = changeOf[ids[i]];
            Change memory change = entry.change;
            if (obstacle(change) != Obstacle.None) continue;
            entry.appliedIn = next;
            emit Applied(ids[i], change.kind, next);
            _apply(change);
        }
        emit EpochBegan(FLEET_ID, next);
    }

    // ------------------------------------------------------------------ views: the roster

    /// @notice The index of a robot that may call.
    /// @param robot Its address.
    /// @return Its index.
    function indexOf(address robot) public view returns (uint256) {
        uint256 number = numberOf[robot];
        if (number == 0 || number == FORMER) revert NotMember(robot);
        if (head.expelled & _bit(number - 1) != 0) revert Expelled(robot);
        return number - 1;
    }

    /// @notice How many indices were ever given.
    /// @return At most MAX_ROBOTS.
    function size() external view returns (uint256) {
        return head.size;
    }

    /// @notice The address of a robot, also of one that has left.
    /// @param index Of the robot.
    /// @return Zero if the index was not given yet.
    function addressOf(uint256 index) external view returns (address) {
        return robotOf[index].robot;
    }

    /// @notice The weights of this epoch.
    /// @return weights_ By index; 0 for those that have left or are expelled.
    /// @return total Their sum, never 0.
    function weights() public view returns (uint32[] memory weights_, uint256 total) {
        uint64 mask = active();
        weights_ = new uint32[](head.size);
        for (uint256 i = 0; i < weights_.length; i++) {
            if (mask & _bit(i) == 0) continue;
            weights_[i] = robotOf[i].weight;
            total += weights_[i];
        }
    }

    /// @notice Who may call, and counts.
    /// @return mask Of members that are not expelled: bit i is index i.
    function active() public view returns (uint64 mask) {
        return head.members & ~head.expelled;
    }

    /// @notice Which epoch it is.
    /// @return How many were closed.
    function epoch() external view returns (uint32) {
        return head.epoch;
    }

    /// @notice How often a robot was reinstated. What it submitted in an earlier generation is void.
    /// @param index Of the robot.
    /// @return From 0.
    function generation(uint256 index) external view returns (uint32) {
        return robotOf[index].generation;
    }

    /// @notice What a robot says it can do.
    /// @param index Of the robot.
    /// @return Bits: 0 drive, 1 lidar, 2 camera, 3 inference.
    function capabilities(uint256 index) external view returns (uint32) {
        return robotOf[index].capabilities;
    }

    /// @notice Everything about one robot.
    /// @param index Of the robot.
    /// @return All zeros if the index was not given yet.
    function robotAt(uint256 index) external view returns (Robot memory) {
        return robotOf[index];
    }

    /// @notice Everything about all robots that ever were.
    /// @return head_ Epoch, and who is in the roster.
    /// @return robots By index.
    function roster() external view returns (Head memory head_, Robot[] memory robots) {
        head_ = head;
        robots = new Robot[](head.size);
        for (uint256 i = 0; i < robots.length; i++) robots[i] = robotOf[i];
    }

    /// @notice The newest anchor that each robot signed.
    /// @return signed By index; all zeros for none.
    function anchorsSigned() external view returns (AnchorFact[] memory signed) {
        signed = new AnchorFact[](head.size);
        for (uint256 i = 0; i < signed.length; i++) signed[i] = anchors[i];
    }

    // ------------------------------------------------------------------ views: who is enough

    /// @notice The weight that is enough.
    /// @return 2/3 of the weight of this epoch, rounded up.
    function quorum() external view returns (uint256) {
        (, uint256 total) = weights();
        return _quorum(total);
    }

    /// @notice Whether robots have 2/3 of the weight of this epoch.
    /// @param mask Bit i is index i.
    /// @return Any two such sets share an honest robot.
    function reachesQuorum(uint64 mask) external view returns (bool) {
        (uint32[] memory weights_, uint256 total) = weights();
        return _weigh(mask, weights_) >= _quorum(total);
    }

    /// @notice Whether at least one of these robots is honest, as those that are not have less than a third.
    /// @param mask Bit i is index i.
    /// @return Whether they have a third of the weight of this epoch.
    function hasHonest(uint64 mask) external view returns (bool) {
        (uint32[] memory weights_, uint256 total) = weights();
        return 3 * _weigh(mask, weights_) >= total; // the total is never 0
    }

    // ------------------------------------------------------------------ views: votes

    /// @notice The id of a change.
    /// @param change What to change.
    /// @return The hash of what it says.
    function changeId(Change memory change) public pure returns (bytes32) {
        return keccak256(abi.encode(change));
    }

    /// @notice Why a change could not be applied now, if all voted for it.
    /// @dev Depends on the arguments and the epoch only.
    /// @param change What to change.
    /// @return The first obstacle.
    function obstacle(Change memory change) public view returns (Obstacle) {
        Kind kind = change.kind;
        bool joins = kind == Kind.Join;
        bool weighs = joins || kind == Kind.Reweigh;
        bool keys = joins || kind == Kind.Rekey;
        if (
            kind == Kind.None || (joins && (change.robot != 0 || change.revision != 0))
                || joins == (change.name == 0) || keys == (change.key == 0) || (!weighs && change.weight != 0)
        ) return Obstacle.Malformed;
        if (weighs && !_isWeight(change.weight)) return Obstacle.BadWeight;
        if (keys && numberOf[Identity.addressOf(change.key)] != 0) return Obstacle.KeyTaken;
        if (joins) {
            if (!_isName(change.name)) return Obstacle.BadName;
            if (nameTaken[change.name]) return Obstacle.NameTaken;
            return head.size == MAX_ROBOTS ? Obstacle.Full : Obstacle.None;
        }
        uint64 bit = _bit(change.robot);
        if (head.members & bit == 0) return Obstacle.NoRobot;
        if (robotOf[change.robot].revision != change.revision) return Obstacle.Outdated;
        if (kind == Kind.Reinstate && head.expelled & bit == 0) return Obstacle.NotExpelled;
        return kind == Kind.Leave && active() == bit ? Obstacle.LastOne : Obstacle.None;
    }

    /// @notice Changes that somebody votes for and that are not applied.
    /// @param convicted Whose votes do not count: bit i is index i.
    /// @return changes Sorted by id.
    function pending(uint64 convicted) external view returns (Pending[] memory changes) {
        (uint32[] memory weights_, uint256 total) = weights();
        bytes32[] memory ids = _voted(convicted, weights_, 0);
        uint256 needed = _quorum(total);
        changes = new Pending[](ids.length);
        for (uint256 i = 0; i < ids.length; i++) {
            ChangeFact memory entry = changeOf[ids[i]];
            uint64 voters = entry.voters & ~convicted;
            changes[i] = Pending(
                ids[i], entry.change, voters, _weigh(voters, weights_), needed, obstacle(entry.change)
            );
        }
    }

    /// @notice Whether closing the epoch now would change more than its number.
    /// @param convicted As `closeEpoch` would be given it.
    /// @return So it is time to close it.
    function due(uint64 convicted) external view returns (bool) {
        return _leaving(convicted) != 0 || _passed(convicted).length != 0;
    }

    // ------------------------------------------------------------------ views: facts

    /// @notice The id of the fact about a robot.
    /// @param index Of the robot.
    /// @return Numbers from 1, so that it is no hash.
    function robotId(uint256 index) public pure returns (bytes32) {
        return bytes32(index + 1);
    }

    /// @notice The id of the fact about the anchor that a robot signed.
    /// @param index Of the robot.
    /// @return Numbers above those of `robotId`.
    function anchorId(uint256 index) public pure returns (bytes32) {
        return bytes32(MAX_ROBOTS + index + 1);
    }

    /// @notice Everything that is stored under an id.
    /// @param id FLEET_ID, `robotId`, `anchorId` or `changeId`.
    /// @return The encoded Head, Robot, AnchorFact or ChangeFact; empty if there is nothing.
    function fact(bytes32 id) external view returns (bytes memory) {
        if (id == FLEET_ID) return abi.encode(head);
        if (id != 0 && uint256(id) <= head.size) return abi.encode(robotOf[uint256(id) - 1]);
        if (uint256(id) > MAX_ROBOTS && uint256(id) <= 2 * MAX_ROBOTS) {
            AnchorFact memory signed = anchors[uint256(id) - MAX_ROBOTS - 1];
            return signed.height == 0 ? bytes('') : abi.encode(signed);
        }
        return changeOf[id].change.kind == Kind.None ? bytes('') : abi.encode(changeOf[id]);
    }

    // ------------------------------------------------------------------ inside: changes

    /// @dev Give the next index to a robot.
    function _enter(address robot, uint32 weight, bytes32 key, bytes32 name) private {
        uint256 index = head.size++;
        head.members |= _bit(index);
        numberOf[robot] = uint8(index + 1);
        robotOf[index] = Robot(robot, weight, 0, 0, address(0), 0, key, name);
        emit RobotChanged(robotId(index), robot, 0);
    }

    /// @dev Make a change that has no obstacle.
    function _apply(Change memory change) private {
        uint256 index = change.robot;
        Robot storage entry = robotOf[index];
        if (change.kind == Kind.Join) {
            nameTaken[change.name] = true;
            return _enter(Identity.addressOf(change.key), change.weight, change.key, change.name);
        }
        if (change.kind == Kind.Leave) {
            numberOf[entry.robot] = FORMER;
            head.members &= ~_bit(index);
            head.expelled &= ~_bit(index);
            entry.weight = 0;
            _dropVotes(index);
        } else if (change.kind == Kind.Rekey) {
            numberOf[entry.robot] = FORMER;
            (entry.robot, entry.key, entry.signer) = (Identity.addressOf(change.key), change.key, address(0));
            numberOf[entry.robot] = uint8(index + 1);
            _dropVotes(index); // somebody else may have given them
        } else if (change.kind == Kind.Reweigh) {
            entry.weight = change.weight;
        } else {
            head.expelled &= ~_bit(index);
            entry.generation++;
        }
        _revise(index);
    }

    /// @dev An entry has changed: votes that were about it as it was are outdated.
    function _revise(uint256 index) private {
        Robot storage entry = robotOf[index];
        emit RobotChanged(robotId(index), entry.robot, ++entry.revision);
    }

    // ------------------------------------------------------------------ inside: votes

    /// @dev Keep a vote in a place that is free, or where an old vote has become pointless.
    function _takePlace(uint256 index, bytes32 id) private {
        for (uint256 place = 0; place < MAX_VOTES; place++) {
            bytes32 old = votesOf[index][place];
            if (old != 0 && obstacle(changeOf[old].change) == Obstacle.None) continue;
            _dropVote(index, place);
            votesOf[index][place] = id;
            return;
        }
        revert TooManyVotes(msg.sender, MAX_VOTES);
    }

    /// @dev An applied change keeps its voters, for the record.
    function _dropVote(uint256 index, uint256 place) private {
        bytes32 id = votesOf[index][place];
        delete votesOf[index][place];
        ChangeFact storage entry = changeOf[id];
        if (id == 0 || entry.appliedIn != 0) return;
        entry.voters &= ~_bit(index);
        emit Withdrawn(id, robotOf[index].robot);
    }

    function _dropVotes(uint256 index) private {
        for (uint256 place = 0; place < MAX_VOTES; place++) _dropVote(index, place);
    }

    /// @dev Whom a conviction expels: nobody if nobody would be left.
    function _leaving(uint64 convicted) private view returns (uint64 mask) {
        mask = convicted & active();
        if (mask == active()) mask = 0;
    }

    /// @dev Changes that closing the epoch makes, as far as they do not hinder one another; sorted.
    function _passed(uint64 convicted) private view returns (bytes32[] memory ids) {
        (uint32[] memory weights_, uint256 total) = weights();
        ids = _voted(convicted, weights_, _quorum(total));
        uint256 count = 0;
        for (uint256 i = 0; i < ids.length; i++) {
            if (obstacle(changeOf[ids[i]].change) == Obstacle.None) ids[count++] = ids[i];
        }
        _shorten(ids, count);
    }

    /// @dev Changes that are not applied, with at least this weight of voters that are not convicted; sorted.
    /// Each is found once, at its voter with the lowest index.
    function _voted(uint64 convicted, uint32[] memory weights_, uint256 least)
        private
        view
        returns (bytes32[] memory ids)
    {
        uint64 valid = active() & ~convicted;
        uint256 count = 0;
        ids = new bytes32[](MAX_ROBOTS * MAX_VOTES);
        for (uint256 i = 0; i < weights_.length; i++) {
            if (valid & _bit(i) == 0) continue;
            for (uint256 place = 0; place < MAX_VOTES; place++) {
                bytes32 id = votesOf[i][place];
                if (id == 0 || changeOf[id].appliedIn != 0) continue;
                uint64 voters = changeOf[id].voters & valid;
                if (voters & (_bit(i) - 1) != 0 || _weigh(voters, weights_) < least) continue;
                uint256 next = count++;
                for (; next != 0 && ids[next - 1] > id; next--) ids[next] = ids[next - 1];
                ids[next] = id;
            }
        }
        _shorten(ids, count);
    }

    // ------------------------------------------------------------------ inside: small things

    function _bit(uint256 index) private pure returns (uint64) {
        return uint64(1 << index);
    }

    /// @dev The weight of a set of robots.
    function _weigh(uint64 mask, uint32[] memory weights_) private pure returns (uint256 sum) {
        for (uint256 i = 0; mask != 0; (i++, mask >>= 1)) {
            for (; mask & 0xff == 0; mask >>= 8) i += 8; // most sets are small
            if (mask & 1 != 0 && i < weights_.length) sum += weights_[i];
        }
    }

    function _quorum(uint256 total) private pure returns (uint256) {
        return (2 * total + 2) / 3;
    }

    function _isWeight(uint32 weight) private pure returns (bool) {
        return weight != 0 && weight <= MAX_WEIGHT;
    }

    /// @dev `[a-z][a-z0-9_]{0,31}`, as in the fleet file.
    function _isName(bytes32 name) private pure returns (bool) {
        bool ended = false;
        for (uint256 i = 0; i < 32; i++) {
            bytes1 letter = name[i];
            bool isLetter = letter >= 'a' && letter <= 'z';
            bool mayFollow = isLetter || letter == '_' || (letter >= '0' && letter <= '9');
            if (ended ? letter != 0 : i == 0 ? !isLetter : !mayFollow && letter != 0) return false;
            ended = letter == 0;
        }
        return true;
    }

    /// @dev Keep the first `count` of a list.
    function _shorten(bytes32[] memory list, uint256 count) private pure {
        assembly ('memory-safe') {
            mstore(list, count)
        }
    }
}
