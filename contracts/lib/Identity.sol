// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Which address a robot's Ed25519 key has
/// @notice The same as `address()` in collab_robots/core/identity.py: the last 20 bytes of the
/// BLAKE2b-256 of the public key, which is its IOTA Ed25519 address (TIP-18).
library Identity {
    /// @dev Precompile of EIP-152: the compression function F of BLAKE2b.
    address private constant BLAKE2B_F = address(9);
    /// @dev The initial state for a digest of 32 bytes without a key, as F takes it (little-endian).
    bytes32 private constant STATE_0 = 0x28c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5;
    bytes32 private constant STATE_1 = 0xd182e6ad7f520e511f6c3e2b8c68059b6bbd41fbabd9831f79217e1319cde05b;

    /// @notice The contract address of a public key.
    /// @param key Ed25519 public key.
    /// @return The address of its calls.
    function addressOf(bytes32 key) internal view returns (address) {
        // One block, the last one: 12 rounds, the key and zeros up to 128 bytes, 32 bytes in all.
        // Where there is no such precompile the answer is empty, and decoding it reverts.
        // solhint-disable-next-line avoid-low-level-calls
        (, bytes memory digest) = BLAKE2B_F.staticcall(
            abi.encodePacked(
                uint32(12), STATE_0, STATE_1, key, bytes32(0), bytes32(0), bytes32(0), uint8(32), bytes15(0), uint8(1)
            )
        );
        (bytes32 low,) = abi.decode(digest, (bytes32, bytes32));
        return address(uint160(uint256(low)));
    }
}
