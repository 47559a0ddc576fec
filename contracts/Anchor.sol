// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Anchors of a fleet's ledger on a public chain
/// @notice Keeps what a fleet of robots agreed on, where the robots cannot take it back: at a height of the fleet's
/// final order, the digest of that order and the root of the state that its contracts had there.
/// @dev This contract runs on IOTA EVM, or any other Ethereum chain, and never on a robot. So it is not
/// merge-safe and need not be: the chain has one order.
///
/// An anchor counts when robots of at least two thirds of the weight signed it (3w >= 2W). Two such sets share
/// robots of a third of the weight, an honest one among them, and it signs one digest per height: two different
/// anchors of one height cannot both be signed. Anybody may send what the robots signed, and pays for it.
///
/// Robots sign EIP-712 typed data. The domain holds the chain's id and this contract's address, so what is signed
/// here is void anywhere else. Signatures are packed, 65 bytes each (r, s, v), in ascending order of their signers:
/// one loop then sees that no robot signed twice.
contract Anchor {
    /// @notice What the fleet agreed on at one height.
    /// @param height How many records of the ledger were final.
    /// @param epoch Of the fleet's membership there.
    /// @param anchoredAt When this chain took it: block time, s.
    /// @param orderDigest Of the final order up to there.
    /// @param stateRoot Of the state of the robots' contracts there.
    struct Entry {
        uint64 height;
        uint32 epoch;
        uint40 anchoredAt;
        bytes32 orderDigest;
        bytes32 stateRoot;
    }

    /// @notice Most robots that a fleet has.
    uint256 public constant MAX_SIGNERS = 64;
    /// @notice Bytes of one signature.
    uint256 public constant SIGNATURE_BYTES = 65;

    bytes32 private constant ANCHOR_TYPE =
        keccak256("Anchor(bytes32 fleet,uint32 epoch,uint64 height,bytes32 orderDigest,bytes32 stateRoot)");
    bytes32 private constant SIGNERS_TYPE =
        keccak256("Signers(bytes32 fleet,uint64 height,uint64 total,address[] signers,uint32[] weights)");
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME = keccak256("collab-robots anchor");
    bytes32 private constant VERSION = keccak256("1");
    /// Half the order of secp256k1: of the two valid s of a signature, the lower one is taken.
    uint256 private constant MAX_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice Id of the fleet: of its name and first roster.
    bytes32 public fleet;
    /// @notice Height of the fleet's final order that the present signers are of.
    uint64 public signersHeight;
    /// @notice Weight of the whole fleet, robots that do not sign included.
    uint64 public totalWeight;

    address[] private present;
    mapping(uint64 => mapping(address => uint32)) private weightAt; // by the height of the signers; 0: no signer
    Entry[] private entries; // in ascending order of height

    /// @notice Signers cannot weigh more than the fleet.
    /// @param weight Of all signers.
    /// @param total That was given as the fleet's.
    error TooHeavy(uint256 weight, uint256 total);
    /// @notice Lists of different lengths, empty, or longer than a fleet can be.
    /// @param signers How many addresses.
    /// @param weights How many weights.
    error BadSigners(uint256 signers, uint256 weights);
    /// @notice Signers have to be listed in strictly ascending order; that also rules out zero and doubles.
    /// @param before The signer before; zero if there is none.
    /// @param signer Whose place is wrong.
    error SignersNotAscending(address before, address signer);
    /// @notice A signer without weight is no signer.
    /// @param signer Whose weight is 0.
    error NoWeight(address signer);
    /// @notice Signatures are not a whole number of 65 bytes.
    /// @param length All bytes.
    error BadSignatureLength(uint256 length);
    /// @notice A signature is malformed: v is not 27 or 28, s is the higher of two, or it is of no key.
    /// @param index Its number, from 0.
    error BadSignature(uint256 index);
    /// @notice Signatures have to come in strictly ascending order of their signers: none may sign twice.
    /// @param before Who signed before.
    /// @param signer Who signed then.
    error SignaturesNotAscending(address before, address signer);
    /// @notice Somebody signed who is no signer now; or a signer signed something else than was sent.
    /// @param recovered Whose signature it would be.
    error NotASigner(address recovered);
    /// @notice Less than two thirds of the fleet's weight signed, or could ever sign.
    /// @param weight Of the signers.
    /// @param total Of the fleet.
    error NoQuorum(uint256 weight, uint256 total);
    /// @notice Anchors only go up, and so do signers.
    /// @param height That was sent.
    /// @param latest Height of the newest anchor, or of the present signers.
    error HeightNotAbove(uint64 height, uint64 latest);
    /// @notice There is no such anchor.
    /// @param index That was asked for.
    /// @param count How many there are.
    error NoSuchAnchor(uint256 index, uint256 count);

    /// @notice The fleet's state at a height is on the chain now.
    /// @param height How many records were final.
    /// @param epoch Of the membership.
    /// @param orderDigest Of the final order.
    /// @param stateRoot Of the contracts' state.
    /// @param weight Weight of the robots that signed it.
    event Anchored(
        uint64 indexed height, uint32 indexed epoch, bytes32 orderDigest, bytes32 stateRoot, uint256 weight
    );
    /// @notice Others sign from now on.
    /// @param height Of the fleet's final order that they are of.
    /// @param total Weight of the fleet.
    /// @param signers In ascending order.
    /// @param weights Of the signers.
    event SignersChanged(uint64 indexed height, uint64 total, address[] signers, uint32[] weights);

    /// @param fleetId Id of the fleet.
    /// @param height Of its final order that the signers are of; 0 for those of its fleet file.
    /// @param total Weight of the whole fleet.
    /// @param signers Addresses of the robots' keys for anchors, in ascending order.
    /// @param weights Of these robots, each at least 1.
    constructor(bytes32 fleetId, uint64 height, uint64 total, address[] memory signers, uint32[] memory weights) {
        fleet = fleetId;
        _set(height, total, signers, weights);
    }

    /// @notice Put what the fleet agreed on at a height on the chain.
    /// @param height How many records were final: above the newest anchor.
    /// @param orderDigest Of the final order up to there.
    /// @param stateRoot Of the state there.
    /// @param epoch Of the membership there.
    /// @param signatures Of two thirds of the weight, packed, in ascending order of signers.
    function anchor(
        uint64 height,
        bytes32 orderDigest,
        bytes32 stateRoot,
        uint32 epoch,
        bytes calldata signatures
    ) external {
        uint64 newest = latest().height;
        if (height <= newest) revert HeightNotAbove(height, newest);
        bytes32 data = keccak256(abi.encode(ANCHOR_TYPE, fleet, epoch, height, orderDigest, stateRoot));
        uint256 weight = _signed(data, signatures);
        entries.push(Entry(height, epoch, uint40(block.timestamp), orderDigest, stateRoot));
        emit Anchored(height, epoch, orderDigest, stateRoot, weight);
    }

    /// @notice Let others sign from now on, as two thirds of the present signers want it.
    /// @param height Of the fleet's final order that the new signers are of: above that of the present ones.
    /// @param total Weight of the whole fleet there.
    /// @param signers All that sign from now on, in ascending order.
    /// @param weights Of them.
    /// @param signatures By present signers, of all this.
    function setSigners(
        uint64 height,
        uint64 total,
        address[] calldata signers,
        uint32[] calldata weights,
        bytes calldata signatures
    ) external {
        if (height <= signersHeight) revert HeightNotAbove(height, signersHeight);
        bytes32 data = keccak256(
            abi.encode(
                SIGNERS_TYPE,
                fleet,
                height,
                total,
                keccak256(abi.encodePacked(signers)),
                keccak256(abi.encodePacked(weights))
            )
        );
        _signed(data, signatures);
        _set(height, total, signers, weights);
    }

    /// @notice The newest anchor; all zero if there is none.
    /// @return The anchor.
    function latest() public view returns (Entry memory) {
        return _before(entries.length);
    }

    /// @notice The newest anchor at a height or below it; all zero if there is none.
    /// @param height Of the fleet's final order.
    /// @return The anchor.
    function anchorAt(uint64 height) external view returns (Entry memory) {
        return _before(countUpTo(height));
    }

    /// @notice How many anchors there are.
    /// @return The number.
    function count() external view returns (uint256) {
        return entries.length;
    }

    /// @notice How many anchors there are at a height or below it.
    /// @param height Of the fleet's final order.
    /// @return low The number; found by bisection.
    function countUpTo(uint64 height) public view returns (uint256 low) {
        uint256 high = entries.length;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (entries[middle].height <= height) low = middle + 1;
            else high = middle;
        }
    }

    /// @notice One anchor.
    /// @param index From 0, the oldest, in ascending order of height.
    /// @return The anchor.
    function entry(uint256 index) external view returns (Entry memory) {
        if (index >= entries.length) revert NoSuchAnchor(index, entries.length);
        return entries[index];
    }

    /// @notice Who signs now.
    /// @return signers In ascending order.
    /// @return weights Of them.
    function signersNow() external view returns (address[] memory signers, uint32[] memory weights) {
        signers = present;
        weights = new uint32[](signers.length);
        for (uint256 i = 0; i < signers.length; i++) weights[i] = weightAt[signersHeight][signers[i]];
    }

    /// The anchor before position `end`.
    function _before(uint256 end) private view returns (Entry memory found) {
        if (end != 0) found = entries[end - 1];
    }

    function _set(uint64 height, uint64 total, address[] memory signers, uint32[] memory weights) private {
        if (signers.length == 0 || signers.length > MAX_SIGNERS || signers.length != weights.length) {
            revert BadSigners(signers.length, weights.length);
        }
        address before;
        uint256 weight;
        for (uint256 i = 0; i < signers.length; i++) {
            if (signers[i] <= before) revert SignersNotAscending(before, signers[i]);
            if (weights[i] == 0) revert NoWeight(signers[i]);
            before = signers[i];
            weightAt[height][before] = weights[i];
            weight += weights[i];
        }
        if (weight > total) revert TooHeavy(weight, total);
        if (!_isQuorum(weight, total)) revert NoQuorum(weight, total);
        (signersHeight, totalWeight, present) = (height, total, signers);
        emit SignersChanged(height, total, signers, weights);
    }

    /// The EIP-712 domain; computed anew each time, as a chain that splits in two gets another id.
    function _domain() private view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, block.chainid, address(this)));
    }

    /// Check who signed `data`, the hash of a typed struct; return their weight, a quorum.
    function _signed(bytes32 data, bytes calldata signatures) private view returns (uint256 weight) {
        if (signatures.length % SIGNATURE_BYTES != 0) revert BadSignatureLength(signatures.length);
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", _domain(), data));
        address before;
        for (uint256 i = 0; i * SIGNATURE_BYTES < signatures.length; i++) {
            address signer = _recover(digest, signatures, i);
            if (signer <= before) revert SignaturesNotAscending(before, signer);
            uint32 own = weightAt[signersHeight][signer];
            if (own == 0) revert NotASigner(signer);
            weight += own;
            before = signer;
        }
        if (!_isQuorum(weight, totalWeight)) revert NoQuorum(weight, totalWeight);
    }

    function _isQuorum(uint256 weight, uint64 total) private pure returns (bool) {
        return 3 * weight >= 2 * uint256(total);
    }

    /// Whose signature number `index` is.
    function _recover(bytes32 digest, bytes calldata signatures, uint256 index) private pure returns (address signer) {
        bytes calldata one = signatures[index * SIGNATURE_BYTES:(index + 1) * SIGNATURE_BYTES];
        bytes32 s = bytes32(one[32:64]);
        if (uint256(s) <= MAX_S) signer = ecrecover(digest, uint8(one[64]), bytes32(one[:32]), s);
        if (signer == address(0)) revert BadSignature(index);
    }
}
