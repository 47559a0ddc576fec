// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Fleet} from './Fleet.sol';
import {Bits} from './lib/Bits.sol';
import {Sketch, Sketches} from './lib/Sketch.sol';

/// @title What a fleet of robots found: map tiles, sketches of regions, sightings; and who lied
/// @notice Merge-safe: the rules in Fleet.sol hold here too.
///
/// Tiles are on the ledger by their digests only. What the fleet compares are *sketches*: a tile in
/// coarse cells of three values. Everything that a robot submits stays, so a lie cannot be taken back.
///
/// **Verdict.** Two robots are against each other in a region if any of their sketches of it conflict.
/// A robot is convicted when the robots against it in one region have a third of the weight: at
/// least one of them is honest, as those that are not have less. No two honest robots are against each
/// other (their sketches differ less than is tolerated), so no honest robot is convicted. A liar that
/// nobody believes is convicted as soon as honest robots with a third of the weight have mapped the
/// region. More sketches only add conflicts: the verdict is a function of the set of sketches and not of
/// their order.
///
/// **Dispute.** Robots are against each other in a region, neither is convicted, and there is a robot
/// that has not mapped it yet: it should go and look.
///
/// What a robot submitted before it was reinstated is void, as a lie and as a witness: everything is
/// kept with the robot's generation, which changes between epochs only.
contract Maps {
    using Sketches for Sketch;

    /// @notice Tiles in one call.
    uint256 public constant MAX_TILES = 32;
    /// @notice Columns and rows of tiles go from minus this to one less than this.
    int16 public constant MAX_TILE_INDEX = 64;
    /// @notice Sketches of one region that a robot may submit.
    uint256 public constant MAX_SKETCHES = 3;
    /// @notice Cells of 256 that a sketch must know.
    uint256 public constant LEAST_KNOWN = 96;
    /// @notice Bytes of a call of `submitSketch`.
    uint256 public constant SKETCH_CALL = 4 + 4 * 32;

    /// @notice The first word of a fact: what comes after it.
    enum FactKind { None, Tile, Sighting, Region, Verdict }

    /// @notice A tile of the sender's map: as an argument.
    /// @param x Column.
    /// @param y Row.
    /// @param digest BLAKE2b-256 of its bytes.
    struct Tile {
        int16 x;
        int16 y;
        bytes32 digest;
    }

    /// @notice All that is stored about a tile of a robot's map.
    /// @param robot Index of its owner.
    /// @param generation Of the owner when it submitted the tile.
    /// @param x Column.
    /// @param y Row.
    /// @param digest The owner's latest; never zero.
    struct TileFact {
        uint8 robot;
        uint32 generation;
        int16 x;
        int16 y;
        bytes32 digest;
    }

    /// @notice All that is stored about something that a camera recognised.
    /// @param robot Index of the robot that did.
    /// @param generation Of that robot then.
    /// @param seenAt When it was first reported, s; never zero.
    /// @param classId Of ImageNet.
    /// @param confidence Per mille.
    /// @param x In mm, map frame.
    /// @param y In mm, map frame.
    struct SightingFact {
        uint8 robot;
        uint32 generation;
        uint40 seenAt;
        uint16 classId;
        uint16 confidence;
        int32 x;
        int32 y;
    }

    /// @notice What one robot said about one region.
    /// @param robot Its index.
    /// @param generation Of the robot then.
    /// @param against Who is against it: bit i is index i.
    /// @param times When it submitted each of its sketches, s.
    /// @param sketches In the order of submission.
    struct Testimony {
        uint8 robot;
        uint32 generation;
        uint64 against;
        uint40[] times;
        Sketch[] sketches;
    }

    /// @notice All that is stored about a region.
    /// @param x Column of its tile.
    /// @param y Row of its tile.
    /// @param testimonies By index of the robots.
    struct RegionFact {
        int16 x;
        int16 y;
        Testimony[] testimonies;
    }

    /// @notice All that is stored about convictions in one generation.
    /// @param generation Of the robots, when they were convicted.
    /// @param robots Who was: bit i is index i.
    struct VerdictFact {
        uint32 generation;
        uint64 robots;
    }

    /// @notice Two sketches of one region that conflict.
    /// @param time When the accused robot submitted its one, s.
    /// @param sketch Of the accused robot.
    /// @param witness Index of the other robot.
    /// @param witnessTime When that one submitted its one, s.
    /// @param witnessSketch Of that robot.
    struct Conflict {
        uint40 time;
        Sketch sketch;
        uint256 witness;
        uint40 witnessTime;
        Sketch witnessSketch;
    }

    /// @dev A testimony as it is stored: the first three share a slot, which every later call reads.
    struct Record {
        uint32 generation;
        uint8 count;
        uint64 against;
        uint40[MAX_SKETCHES] times;
        Sketch[MAX_SKETCHES] sketches;
    }

    /// @dev Whose words count in a region, and how much.
    struct Jury {
        uint64 valid;
        uint32[] weights;
        uint256 total;
    }

    /// @dev `robots` have a record, of whatever generation.
    struct Region {
        int16 x;
        int16 y;
        uint64 robots;
        mapping(uint256 index => Record) recordOf;
    }

    /// @notice A selector that this contract does not have.
    /// @param selector First four bytes of the call.
    error NoSuchCall(bytes4 selector);
    /// @notice Not 1 to MAX_TILES tiles in a call.
    /// @param count How many there are.
    /// @param most MAX_TILES.
    error BadTileCount(uint256 count, uint256 most);
    /// @notice A digest is all zeros.
    /// @param x Column of the tile.
    /// @param y Row of the tile.
    error NoDigest(int16 x, int16 y);
    /// @notice No map reaches so far.
    /// @param x Column of the tile.
    /// @param y Row of the tile.
    error OutOfMap(int16 x, int16 y);
    /// @notice More than 1000 per mille.
    /// @param permille What was said.
    error BadConfidence(uint16 permille);
    /// @notice A call with a sketch has bytes that do not belong to it.
    /// @param size Bytes of the call.
    /// @param expected SKETCH_CALL.
    error BadSketchSize(uint256 size, uint256 expected);
    /// @notice Cells are both free and occupied.
    /// @param cells That are free and occupied.
    error SketchOverlaps(uint256 cells);
    /// @notice A sketch tells too little to be compared.
    /// @param known Cells that are.
    /// @param least LEAST_KNOWN.
    error TooLittleKnown(uint256 known, uint256 least);
    /// @notice The sender submitted all the sketches of this region that it may.
    /// @param x Column of the tile.
    /// @param y Row of the tile.
    /// @param most MAX_SKETCHES.
    error TooManySketches(int16 x, int16 y, uint256 most);

    /// @notice A robot's map has a new or changed tile.
    /// @param id Of the tile.
    /// @param by Whose it is.
    /// @param x Column of the tile.
    /// @param y Row of the tile.
    /// @param digest What it hashes to.
    event TileSubmitted(bytes32 indexed id, address indexed by, int16 x, int16 y, bytes32 digest);
    /// @notice A robot's camera recognised something.
    /// @param id Of the sighting.
    /// @param by Whose it is.
    /// @param classId What was recognised.
    /// @param confidence Per mille.
    /// @param x Place in the map frame, mm.
    /// @param y Place in the map frame, mm.
    event Sighted(bytes32 indexed id, address indexed by, uint16 classId, uint16 confidence, int32 x, int32 y);
    /// @notice A robot mapped a region.
    /// @param id Of the region.
    /// @param by Whose it is.
    /// @param x Column of the tile.
    /// @param y Row of the tile.
    /// @param free Cells: bit 16 * row + column.
    /// @param occupied Cells likewise.
    event SketchSubmitted(bytes32 indexed id, address indexed by, int16 x, int16 y, uint256 free, uint256 occupied);
    /// @notice A robot's new sketch conflicts with those of others.
    /// @param id Of the region.
    /// @param by Whose sketch it is.
    /// @param x Column of the tile.
    /// @param y Row of the tile.
    /// @param robots The others: bit i is index i.
    event Contradicted(bytes32 indexed id, address indexed by, int16 x, int16 y, uint64 robots);
    /// @notice A robot was convicted for what it said about a region.
    /// @param id Of the verdict.
    /// @param robot Who is convicted.
    /// @param x Column of the tile.
    /// @param y Row of the tile.
    /// @param against Who is against it there, at this moment: bit i is index i.
    event Convicted(bytes32 indexed id, address indexed robot, int16 x, int16 y, uint64 against);

    /// @notice Who is who.
    Fleet public immutable fleet;

    mapping(bytes32 id => TileFact) private tileOf;
    mapping(bytes32 id => SightingFact) private sightingOf;
    mapping(bytes32 id => Region) private regionOf;
    mapping(bytes32 id => VerdictFact) private verdictOf;
    /// @dev Convicted, in whatever generation.
    uint64 private everConvicted;

    /// @notice Begin with nothing.
    /// @param fleet_ The contract that knows the roster.
    constructor(Fleet fleet_) {
        fleet = fleet_;
    }

    /// @notice Refuses calls that the contract does not have.
    fallback() external {
        revert NoSuchCall(msg.sig);
    }

    // ------------------------------------------------------------------ calls

    /// @notice Say what one's own map tiles hash to.
    /// @dev Facts: the sender's latest digest of each tile.
    /// @param batch 1 to MAX_TILES of them.
    function submitTiles(Tile[] calldata batch) external {
        uint256 me = fleet.indexOf(msg.sender);
        uint32 generation = fleet.generation(me);
        if (batch.length == 0 || batch.length > MAX_TILES) revert BadTileCount(batch.length, MAX_TILES);
        for (uint256 i = 0; i < batch.length; i++) {
            Tile calldata tile = batch[i];
            _checkPlace(tile.x, tile.y);
            if (tile.digest == 0) revert NoDigest(tile.x, tile.y);
            bytes32 id = tileId(me, tile.x, tile.y);
            tileOf[id] = TileFact(uint8(me), generation, tile.x, tile.y, tile.digest);
            emit TileSubmitted(id, msg.sender, tile.x, tile.y, tile.digest);
        }
    }

    /// @notice Say that the camera recognised something.
    /// @dev Facts: a set that only grows; the same sighting again keeps its earliest time.
    /// @param classId Of ImageNet.
    /// @param confidence Per mille.
    /// @param x In mm, map frame.
    /// @param y In mm, map frame.
    function reportSighting(uint16 classId, uint16 confidence, int32 x, int32 y) external {
        uint256 me = fleet.indexOf(msg.sender);
        uint32 generation = fleet.generation(me);
        if (confidence > 1000) revert BadConfidence(confidence);
        bytes32 id = keccak256(abi.encode(me, generation, classId, confidence, x, y));
        if (sightingOf[id].seenAt != 0) return;
        sightingOf[id] =
            SightingFact(uint8(me), generation, uint40(block.timestamp), classId, confidence, x, y);
        emit Sighted(id, msg.sender, classId, confidence, x, y);
    }

    /// @notice Say what one found in a region.
    /// @dev Facts: the set of sketches, and who is against whom. Both robots' records are written, each
    /// at the bit of the other, so it does not matter who came first.
    /// @param x Column of the region's tile.
    /// @param y Row of the region's tile.
    /// @param free Cells that are surely free, see Sketch.
    /// @param occupied Cells with something in them.
    function submitSketch(int16 x, int16 y, uint256 free, uint256 occupied) external {
        uint256 me = fleet.indexOf(msg.sender);
        if (msg.data.length != SKETCH_CALL) revert BadSketchSize(msg.data.length, SKETCH_CALL);
        _checkPlace(x, y);
        if (free & occupied != 0) revert SketchOverlaps(free & occupied);
        Sketch memory sketch = Sketch(free, occupied);
        if (sketch.known() < LEAST_KNOWN) revert TooLittleKnown(sketch.known(), LEAST_KNOWN);
        bytes32 id = regionId(x, y);
        bool isFirst = _add(id, x, y, me, sketch);
        emit SketchSubmitted(id, msg.sender, x, y, free, occupied);
        uint64 others = _compare(id, me, sketch, isFirst);
        if (others != 0) emit Contradicted(id, msg.sender, x, y, others);
    }

    // ------------------------------------------------------------------ views: decisions

    /// @notice Who is convicted.
    /// @return mask Bit i is index i; also robots that are expelled for it by now.
    function convicted() public view returns (uint64 mask) {
        uint64 left = everConvicted;
        for (uint256 i = 0; left != 0; (i++, left >>= 1)) {
            if (left & 1 != 0) mask |= verdictOf[verdictId(fleet.generation(i))].robots & _bit(i);
        }
    }

    /// @notice Who has mapped a region.
    /// @param x Column of its tile.
    /// @param y Row of its tile.
    /// @return Robots with a sketch that is not void: bit i is index i.
    function mappedBy(int16 x, int16 y) external view returns (uint64) {
        return _valid(regionOf[regionId(x, y)]);
    }

    /// @notice Since when a region is disputed.
    /// @param x Column of its tile.
    /// @param y Row of its tile.
    /// @return since When the second of the first two sketches that conflict was submitted, s; 0 if the
    /// region is not disputed.
    function disputedSince(int16 x, int16 y) external view returns (uint40 since) {
        Region storage region = regionOf[regionId(x, y)];
        if (region.robots == 0) return 0;
        uint64 trusted = fleet.active() & ~convicted();
        uint64 parties = _valid(region) & trusted;
        if (parties == trusted) return 0; // nobody is left who could go and look
        for (uint256 i = 0; parties >> i != 0; i++) {
            if (parties & _bit(i) == 0) continue;
            uint64 others = region.recordOf[i].against & parties & (_bit(i) - 1); // each pair once
            for (uint256 j = 0; others >> j != 0; j++) {
                if (others & _bit(j) == 0) continue;
                uint40 time = _conflictAt(region.recordOf[i], region.recordOf[j]);
                if (since == 0 || time < since) since = time;
            }
        }
    }

    /// @notice Why a robot is, or is not, convicted for what it said about a region.
    /// @param robot Index of the robot.
    /// @param x Column of the region's tile.
    /// @param y Row of the region's tile.
    /// @return suffices Whether those against it include an honest robot.
    /// @return conflicts All pairs of sketches that conflict, the robot's with others'.
    function evidence(uint256 robot, int16 x, int16 y)
        external
        view
        returns (bool suffices, Conflict[] memory conflicts)
    {
        Region storage region = regionOf[regionId(x, y)];
        uint64 valid = _valid(region);
        if (valid & _bit(robot) == 0) return (false, conflicts);
        uint64 against = region.recordOf[robot].against & valid;
        suffices = fleet.hasHonest(against);
        conflicts = new Conflict[](MAX_SKETCHES * MAX_SKETCHES * 64);
        uint256 found = 0;
        for (uint256 i = 0; against >> i != 0; i++) {
            if (against & _bit(i) != 0) found = _collect(conflicts, found, region, robot, i);
        }
        assembly ('memory-safe') {
            mstore(conflicts, found)
        }
    }

    /// @notice Whether two sketches of one region conflict.
    /// @param a One.
    /// @param b The other.
    /// @return As `submitSketch` would judge.
    function conflicting(Sketch calldata a, Sketch calldata b) external pure returns (bool) {
        return Sketches.conflict(a, b);
    }

    // ------------------------------------------------------------------ views: facts

    /// @notice The id of the fact about a tile of a robot's map.
    /// @param robot Index of its owner.
    /// @param x Column.
    /// @param y Row.
    /// @return A hash.
    function tileId(uint256 robot, int16 x, int16 y) public pure returns (bytes32) {
        return keccak256(abi.encode(robot, x, y));
    }

    /// @notice The id of the fact about a region.
    /// @param x Column of its tile.
    /// @param y Row of its tile.
    /// @return A hash.
    function regionId(int16 x, int16 y) public pure returns (bytes32) {
        return keccak256(abi.encode(x, y));
    }

    /// @notice The id of the fact about convictions.
    /// @param generation Of the robots, when they were convicted.
    /// @return Numbers from 1, so that it is no hash.
    function verdictId(uint32 generation) public pure returns (bytes32) {
        return bytes32(uint256(generation) + 1);
    }

    /// @notice Everything that is stored under an id.
    /// @param id Of a tile, a sighting, a region or convictions.
    /// @return The FactKind and the encoded fact; empty if there is nothing.
    function fact(bytes32 id) external view returns (bytes memory) {
        if (tileOf[id].digest != 0) return abi.encode(FactKind.Tile, tileOf[id]);
        if (sightingOf[id].seenAt != 0) return abi.encode(FactKind.Sighting, sightingOf[id]);
        if (regionOf[id].robots != 0) return abi.encode(FactKind.Region, _regionFact(regionOf[id]));
        if (verdictOf[id].robots != 0) return abi.encode(FactKind.Verdict, verdictOf[id]);
        return '';
    }

    // ------------------------------------------------------------------ inside: sketches

    /// @dev Keep a sketch of the sender.
    /// @return isFirst Whether it is the sender's first of this region in its generation.
    function _add(bytes32 id, int16 x, int16 y, uint256 me, Sketch memory sketch)
        private
        returns (bool isFirst)
    {
        Region storage region = regionOf[id];
        Record storage mine = region.recordOf[me];
        uint32 generation = fleet.generation(me);
        if (mine.generation != generation) (mine.generation, mine.count, mine.against) = (generation, 0, 0);
        uint256 number = mine.count;
        if (number == MAX_SKETCHES) revert TooManySketches(x, y, MAX_SKETCHES);
        (mine.times[number], mine.sketches[number]) = (uint40(block.timestamp), sketch);
        mine.count = uint8(number + 1);
        (region.x, region.y, region.robots) = (x, y, region.robots | _bit(me));
        return number == 0;
    }

    /// @dev Find who is against the sender for its new sketch, and judge whom that concerns.
    function _compare(bytes32 id, uint256 me, Sketch memory sketch, bool isFirst)
        private
        returns (uint64 found)
    {
        Region storage region = regionOf[id];
        Jury memory jury;
        (jury.weights, jury.total) = fleet.weights();
        jury.valid = _valid(region);
        for (uint256 i = 0; jury.valid >> i != 0; i++) {
            if (i == me || jury.valid & _bit(i) == 0) continue;
            Record storage other = region.recordOf[i];
            if (_conflictsWithAny(sketch, other)) {
                found |= _bit(i);
                other.against |= _bit(me);
                _judge(region, i, other.against, jury);
            } else if (isFirst && other.against & _bit(me) != 0) {
                other.against &= ~_bit(me); // of an earlier generation of the sender
            }
        }
        if (found == 0) return 0;
        uint64 against = region.recordOf[me].against | found;
        region.recordOf[me].against = against;
        _judge(region, me, against, jury);
    }

    /// @dev Convict a robot if at least one of those against it in a region is honest.
    function _judge(Region storage region, uint256 robot, uint64 against, Jury memory jury) private {
        uint32 generation = fleet.generation(robot);
        bytes32 id = verdictId(generation);
        VerdictFact storage verdict = verdictOf[id];
        against &= jury.valid;
        if (verdict.robots & _bit(robot) != 0 || 3 * _weigh(against, jury.weights) < jury.total) return;
        (verdict.generation, verdict.robots) = (generation, verdict.robots | _bit(robot));
        everConvicted |= _bit(robot);
        emit Convicted(id, fleet.addressOf(robot), region.x, region.y, against);
    }

    /// @dev Robots with a record of their present generation.
    function _valid(Region storage region) private view returns (uint64 mask) {
        uint64 robots = region.robots;
        for (uint256 i = 0; robots >> i != 0; i++) {
            if (robots & _bit(i) == 0) continue;
            if (region.recordOf[i].generation == fleet.generation(i)) mask |= _bit(i);
        }
    }

    function _conflictsWithAny(Sketch memory sketch, Record storage other) private view returns (bool) {
        uint256 count = other.count;
        for (uint256 k = 0; k < count; k++) {
            if (sketch.conflict(other.sketches[k])) return true;
        }
        return false;
    }

    /// @dev When the first conflict of two robots that are against each other came up, s.
    function _conflictAt(Record storage a, Record storage b) private view returns (uint40 first) {
        for (uint256 k = 0; k < a.count; k++) {
            for (uint256 l = 0; l < b.count; l++) {
                if (!Sketches.conflict(a.sketches[k], b.sketches[l])) continue;
                uint40 time = a.times[k] > b.times[l] ? a.times[k] : b.times[l];
                if (first == 0 || time < first) first = time;
            }
        }
    }

    /// @dev Put the conflicts of two robots into a list from `next` on; return where the next ones begin.
    function _collect(
        Conflict[] memory conflicts,
        uint256 next,
        Region storage region,
        uint256 robot,
        uint256 witness
    ) private view returns (uint256) {
        Record storage a = region.recordOf[robot];
        Record storage b = region.recordOf[witness];
        for (uint256 k = 0; k < a.count; k++) {
            for (uint256 l = 0; l < b.count; l++) {
                if (!Sketches.conflict(a.sketches[k], b.sketches[l])) continue;
                conflicts[next++] = Conflict(a.times[k], a.sketches[k], witness, b.times[l], b.sketches[l]);
            }
        }
        return next;
    }

    function _regionFact(Region storage region) private view returns (RegionFact memory) {
        uint64 robots = region.robots;
        uint256 found = 0;
        Testimony[] memory testimonies = new Testimony[](Bits.count(robots));
        for (uint256 i = 0; robots >> i != 0; i++) {
            if (robots & _bit(i) != 0) testimonies[found++] = _testimony(i, region.recordOf[i]);
        }
        return RegionFact(region.x, region.y, testimonies);
    }

    function _testimony(uint256 robot, Record storage stored) private view returns (Testimony memory) {
        uint256 count = stored.count;
        uint40[] memory times = new uint40[](count);
        Sketch[] memory sketches = new Sketch[](count);
        for (uint256 k = 0; k < count; k++) (times[k], sketches[k]) = (stored.times[k], stored.sketches[k]);
        return Testimony(uint8(robot), stored.generation, stored.against, times, sketches);
    }

    // ------------------------------------------------------------------ inside: small things

    function _checkPlace(int16 x, int16 y) private pure {
        if (x < -MAX_TILE_INDEX || x >= MAX_TILE_INDEX || y < -MAX_TILE_INDEX || y >= MAX_TILE_INDEX) {
            revert OutOfMap(x, y);
        }
    }

    /// @dev The weight of a set of robots: at most 64 numbers of 32 bits.
    function _weigh(uint64 mask, uint32[] memory weights) private pure returns (uint256 sum) {
        unchecked {
            for (uint256 i = 0; mask != 0; (i++, mask >>= 1)) {
                if (mask & 1 != 0) sum += weights[i];
            }
        }
    }

    function _bit(uint256 index) private pure returns (uint64) {
        return uint64(1 << index);
    }
}
