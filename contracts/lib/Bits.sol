// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Counting bits
library Bits {
    /// @notice How many bits are set.
    /// @dev Sums of neighbours in ever wider lanes; the last multiplication adds all lanes of 16 bits.
    /// @param bits Any word.
    /// @return 0 to 256.
    function count(uint256 bits) internal pure returns (uint256) {
        unchecked {
            bits -= (bits >> 1) & 0x5555555555555555555555555555555555555555555555555555555555555555;
            bits = (bits & 0x3333333333333333333333333333333333333333333333333333333333333333)
                + ((bits >> 2) & 0x3333333333333333333333333333333333333333333333333333333333333333);
            bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            bits = (bits + (bits >> 8)) & 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
            return (bits * 0x0001000100010001000100010001000100010001000100010001000100010001) >> 240;
        }
    }
}
