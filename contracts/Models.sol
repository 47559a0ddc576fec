// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Fleet} from './Fleet.sol';

/// @title Which parts of which neural networks the fleet runs, who may serve them, and how that went
/// @notice A *model* is the hash of its weights and graph. A *part* of it is what one robot runs: the
/// whole, or what is before or after a cut; its bytes have a hash of their own. Who may serve a part
/// is each robot's latest word, and 2/3 of the weight decide; who does serve it says so itself.
/// Failed audits are facts that only grow: a robot that did not answer, refused, or answered wrongly. These
/// are three different things: the first two happen to honest robots when links fail.
///
/// The rules that every contract of the suite follows are in Fleet.sol. What a robot said in an earlier
/// generation (before it was expelled and reinstated) does not count, nor what was said about it.
contract Models {
    /// @notice Which side of the cut a part is.
    enum Half { Whole, Head, Tail }

    /// @notice How an audit failed.
    enum Failure { None, Timeout, Refused, Wrong }

    /// @notice What a fact is about: its first word.
    enum FactKind { None, Part, Audit, Tally }

    /// @notice What one robot can run.
    /// @param model Hash of weights and graph of the whole model.
    /// @param half Which side of the cut.
    /// @param cut Number of the cut; 0 for the whole.
    /// @param digest Hash of the part's bytes, as robots load them.
    struct Part {
        bytes32 model;
        Half half;
        uint16 cut;
        bytes32 digest;
    }

    /// @notice What one robot last said about a part.
    /// @param permits Who may serve it: bit i is index i.
    /// @param generation Of the robot when it said so.
    /// @param serves Whether it offers to serve the part itself.
    struct Word {
        uint64 permits;
        uint32 generation;
        bool serves;
    }

    /// @notice All that is stored about a part.
    /// @param part Zeros while there are only offers.
    /// @param speakers Who ever said something about it: bit i is index i.
    /// @param words Theirs, for each bit from the lowest.
    struct PartFact {
        Part part;
        uint64 speakers;
        Word[] words;
    }

    /// @notice A failed audit.
    /// @param auditor Index of who found it.
    /// @param subject Index of whom it is about.
    /// @param kind How it failed.
    /// @param time When it was reported, s.
    /// @param frame What names the input on the auditor.
    /// @param part Id of the part that was asked for.
    struct Audit {
        uint8 auditor;
        uint8 subject;
        Failure kind;
        uint40 time;
        uint64 frame;
        bytes32 part;
    }

    /// @notice How many failures one robot found with another, in their generations of then.
    /// @param auditor Index of who found them.
    /// @param subject Index of whom they are about.
    /// @param auditorGeneration Of the auditor.
    /// @param subjectGeneration Of the subject.
    /// @param counts Of different frames and parts: timeouts, refusals, wrong answers.
    struct Tally {
        uint8 auditor;
        uint8 subject;
        uint32 auditorGeneration;
        uint32 subjectGeneration;
        uint32[3] counts;
    }

    /// @notice What the robots say about a part.
    /// @param words By index.
    /// @param weights Of those who permit it to each robot, by index.
    /// @param needed What is enough: 2/3 of the roster.
    struct Support {
        Word[] words;
        uint256[] weights;
        uint256 needed;
    }

    /// @notice Failures of a robot in its present generation.
    /// @param counts By the auditor's index: timeouts, refusals, wrong answers.
    /// @param auditors Who found some, by kind: bit i is index i.
    /// @param certain Whether at least one of these is honest, by kind.
    struct Record {
        uint32[3][] counts;
        uint64[3] auditors;
        bool[3] certain;
    }

    /// @notice A selector that this contract does not have.
    /// @param selector First four bytes of the call.
    error NoSuchCall(bytes4 selector);
    /// @notice A hash is zero, or the whole model has a cut.
    /// @param model Hash of weights and graph.
    /// @param half Which side of the cut.
    /// @param cut Its number.
    /// @param digest Hash of the part's bytes.
    error BadPart(bytes32 model, Half half, uint16 cut, bytes32 digest);
    /// @notice Robots whose indices were not given yet.
    /// @param mask All that were named: bit i is index i.
    /// @param size How many indices were given.
    error NoSuchRobots(uint64 mask, uint256 size);
    /// @notice A robot does not audit itself.
    /// @param sender Who tried.
    error OwnAudit(address sender);
    /// @notice An audit that did not fail is no fact.
    /// @param subject The robot that was asked.
    error NoFailure(address subject);

    /// @notice A robot says who may serve a part.
    /// @param id Of the part.
    /// @param by Who says so.
    /// @param part It.
    /// @param robots Who may: bit i is index i.
    event Permitted(bytes32 indexed id, address indexed by, Part part, uint64 robots);
    /// @notice A robot says whether it serves a part.
    /// @param id Of the part.
    /// @param by Who says so.
    /// @param serves Whether it does.
    event Offered(bytes32 indexed id, address indexed by, bool serves);
    /// @notice A robot found a failure.
    /// @param id Of the failure.
    /// @param by The auditor.
    /// @param subject The robot that was asked.
    /// @param part Id of the part it was asked for.
    /// @param frame What names the input on the auditor.
    /// @param kind How it failed.
    event Audited(bytes32 indexed id, address indexed by, address subject, bytes32 part, uint64 frame, Failure kind);
    /// @notice So the count of its failures of that kind has grown.
    /// @param id Of the tally.
    /// @param by The auditor.
    /// @param subject The robot that was asked.
    /// @param kind How it failed.
    /// @param count How many failures of that kind the auditor has found now.
    event Tallied(bytes32 indexed id, address indexed by, address subject, Failure kind, uint32 count);

    /// @notice Who is in the fleet.
    /// @return The contract that decides that.
    Fleet public immutable fleet;

    /// @dev What `PartFact` has of a part, without the words.
    /// @param part Zeros while there are only offers.
    /// @param speakers Who ever said something about it: bit i is index i.
    struct Entry {
        Part part;
        uint64 speakers;
    }

    mapping(bytes32 id => Entry) private entryOf;
    mapping(bytes32 id => mapping(uint256 index => Word)) private wordOf;
    mapping(bytes32 id => Audit) private auditOf;
    mapping(bytes32 id => Tally) private tallyOf;

    /// @notice Begin without any model.
    /// @param fleet_ Who may call, and with which weight.
    constructor(Fleet fleet_) {
        fleet = fleet_;
    }

    /// @notice Refuses calls that the contract does not have.
    fallback() external {
        revert NoSuchCall(msg.sig);
    }

    // ------------------------------------------------------------------ calls

    /// @notice Say which robots may serve a part; the first to say so proposes it.
    /// @dev Fact: the sender's latest word about this part.
    /// @param part What to serve.
    /// @param robots Bit i is index i; 0 takes the permission back.
    /// @return id The id of the part.
    function permit(Part calldata part, uint64 robots) external returns (bytes32 id) {
        uint256 me = fleet.indexOf(msg.sender);
        if (part.model == 0 || part.digest == 0 || (part.half == Half.Whole && part.cut != 0)) {
            revert BadPart(part.model, part.half, part.cut, part.digest);
        }
        uint256 size = fleet.size();
        if (uint256(robots) >> size != 0) revert NoSuchRobots(robots, size);
        id = partId(part);
        entryOf[id].part = part;
        _word(id, me).permits = robots;
        emit Permitted(id, msg.sender, part, robots);
    }

    /// @notice Say whether one serves a part. It counts while 2/3 permit it.
    /// @dev Fact: the sender's latest word about this part.
    /// @param id Of the part.
    /// @param serves Whether one does.
    function offer(bytes32 id, bool serves) external {
        _word(id, fleet.indexOf(msg.sender)).serves = serves;
        emit Offered(id, msg.sender, serves);
    }

    /// @notice Say that a robot failed an audit. The same failure of the same frame counts once.
    /// @dev Facts: a set that only grows, and how many of it are the sender's about this robot.
    /// @param subject The robot that was asked.
    /// @param part Id of the part it was asked for.
    /// @param frame What names the input on the sender.
    /// @param kind How it failed.
    /// @return id The id of the failure.
    function audit(address subject, bytes32 part, uint64 frame, Failure kind) external returns (bytes32 id) {
        uint256 me = fleet.indexOf(msg.sender);
        uint256 other = fleet.indexOf(subject);
        if (other == me) revert OwnAudit(msg.sender);
        if (kind == Failure.None) revert NoFailure(subject);
        id = keccak256(abi.encode(me, other, part, frame, kind));
        if (auditOf[id].kind != Failure.None) return id;
        auditOf[id] = Audit(uint8(me), uint8(other), kind, uint40(block.timestamp), frame, part);
        emit Audited(id, msg.sender, subject, part, frame, kind);
        bytes32 key = tallyId(me, other);
        Tally storage tally = tallyOf[key];
        (tally.auditor, tally.subject) = (uint8(me), uint8(other));
        (tally.auditorGeneration, tally.subjectGeneration) = (fleet.generation(me), fleet.generation(other));
        uint32 count = ++tally.counts[uint8(kind) - 1];
        emit Tallied(key, msg.sender, subject, kind, count);
    }

    // ------------------------------------------------------------------ views: who serves

    /// @notice The id of a part.
    /// @param part What to serve.
    /// @return The hash of what it says.
    function partId(Part memory part) public pure returns (bytes32) {
        return keccak256(abi.encode(part));
    }

    /// @notice Who may serve a part, and who does.
    /// @param id Of the part.
    /// @param convicted Whose words do not count, and who may not serve: bit i is index i.
    /// @return allowed Active robots that 2/3 of the weight permit to.
    /// @return offering Robots whose latest word is that they serve it.
    function servers(bytes32 id, uint64 convicted) external view returns (uint64 allowed, uint64 offering) {
        Support memory support = supportOf(id, convicted);
        uint64 able = fleet.active() & ~convicted;
        for (uint256 i = 0; i < support.words.length; i++) {
            if (support.weights[i] >= support.needed) allowed |= _bit(i) & able;
            if (support.words[i].serves) offering |= _bit(i) & able;
        }
    }

    /// @notice Why a robot may serve a part, or may not: who permits it, and what they weigh.
    /// @param id Of the part.
    /// @param convicted Whose words do not count: bit i is index i.
    /// @return support By index; words that do not count are zero.
    function supportOf(bytes32 id, uint64 convicted) public view returns (Support memory support) {
        // slither-disable-next-line unused-return
        (uint32[] memory weights,) = fleet.weights(); // what is needed of the total is the quorum
        support.needed = fleet.quorum();
        uint256 size = weights.length;
        (support.words, support.weights) = (new Word[](size), new uint256[](size));
        uint64 speakers = entryOf[id].speakers & fleet.active() & ~convicted;
        for (uint256 i = 0; i < size; i++) {
            if (speakers & _bit(i) == 0) continue;
            Word memory word = wordOf[id][i];
            if (word.generation != fleet.generation(i)) continue;
            support.words[i] = word;
            for (uint256 j = 0; j < size; j++) {
                if (word.permits & _bit(j) != 0) support.weights[j] += weights[i];
            }
        }
    }

    // ------------------------------------------------------------------ views: audits

    /// @notice The id of what one robot found with another in their present generations.
    /// @param auditor Index of who found it.
    /// @param subject Index of whom it is about.
    /// @return The hash of these.
    function tallyId(uint256 auditor, uint256 subject) public view returns (bytes32) {
        return keccak256(abi.encode(auditor, fleet.generation(auditor), subject, fleet.generation(subject)));
    }

    /// @notice Failures of a robot.
    /// @param subject Its index.
    /// @param convicted Whose words do not count: bit i is index i.
    /// @return record By auditor and by kind.
    function failuresOf(uint256 subject, uint64 convicted) external view returns (Record memory record) {
        uint256 size = fleet.size();
        uint64 able = fleet.active() & ~convicted;
        record.counts = new uint32[3][](size);
        for (uint256 i = 0; i < size; i++) {
            if (able & _bit(i) == 0) continue;
            record.counts[i] = tallyOf[tallyId(i, subject)].counts;
            for (uint256 kind = 0; kind < 3; kind++) {
                if (record.counts[i][kind] != 0) record.auditors[kind] |= _bit(i);
            }
        }
        for (uint256 kind = 0; kind < 3; kind++) record.certain[kind] = fleet.hasHonest(record.auditors[kind]);
    }

    // ------------------------------------------------------------------ views: facts

    /// @notice Everything that is stored under an id.
    /// @param id `partId`, `tallyId`, or what `audit` returned.
    /// @return The FactKind and the encoded PartFact, Audit or Tally; empty if there is nothing.
    function fact(bytes32 id) external view returns (bytes memory) {
        if (auditOf[id].kind != Failure.None) return abi.encode(FactKind.Audit, auditOf[id]);
        if (tallyOf[id].auditor != tallyOf[id].subject) return abi.encode(FactKind.Tally, tallyOf[id]);
        Entry memory entry = entryOf[id];
        if (entry.speakers == 0) return '';
        uint256 count = 0;
        Word[] memory words = new Word[](64);
        for (uint256 i = 0; i < 64; i++) {
            if (entry.speakers & _bit(i) != 0) words[count++] = wordOf[id][i];
        }
        assembly ('memory-safe') {
            mstore(words, count) // as many as there are
        }
        return abi.encode(FactKind.Part, PartFact(entry.part, entry.speakers, words));
    }

    // ------------------------------------------------------------------ inside

    /// @dev The sender's word about a part, empty if it is of an earlier generation.
    function _word(bytes32 id, uint256 me) private returns (Word storage word) {
        word = wordOf[id][me];
        uint32 generation = fleet.generation(me);
        if (word.generation != generation) wordOf[id][me] = Word(0, generation, false);
        entryOf[id].speakers |= _bit(me);
    }

    function _bit(uint256 index) private pure returns (uint64) {
        return uint64(1 << index);
    }
}
