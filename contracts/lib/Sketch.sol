// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bits} from './Bits.sol';

/// @notice What a robot found in a region of 3.2 m, as 16×16 cells of 0.2 m.
/// @dev Bit 16 * row + column is a cell; row 0 has the lowest y, column 0 the lowest x. A cell in neither
/// mask is unknown.
/// @param free Cells that are surely free: nothing is within one cell of them either, so that a wall
/// that two robots see one cell apart is no difference.
/// @param occupied Cells with a wall or something else in them.
struct Sketch {
    uint256 free;
    uint256 occupied;
}

/// @title When two sketches of one region cannot both be true
/// @notice The idea of Keramat et al. (arXiv 2208.13467), at the resolution of sketches: cells known to
/// both are compared in windows, and too many differences in any one window are a conflict.
/// @dev The numbers are chosen from measurement: docs/trust.md.
library Sketches {
    /// @notice So many differing cells in a window are no conflict yet.
    uint256 internal constant TOLERATED = 6;
    /// @dev Windows are 12×12 cells, at columns and rows 0 and 4: rows 0 to 11 of columns 0 to 11.
    uint256 private constant WINDOW = 0x0fff0fff0fff0fff0fff0fff0fff0fff0fff0fff0fff0fff;

    /// @notice How many cells a sketch tells something about.
    /// @param sketch Its masks do not overlap.
    /// @return 0 to 256.
    function known(Sketch memory sketch) internal pure returns (uint256) {
        return Bits.count(sketch.free | sketch.occupied);
    }

    /// @notice Whether two sketches of one region conflict.
    /// @param a One.
    /// @param b The other; the order does not matter.
    /// @return Whether, in any window, more than TOLERATED cells are free in one and occupied in the other.
    function conflict(Sketch memory a, Sketch memory b) internal pure returns (bool) {
        uint256 differing = (a.free & b.occupied) | (a.occupied & b.free);
        if (Bits.count(differing) <= TOLERATED) return false;
        return Bits.count(differing & WINDOW) > TOLERATED
            || Bits.count(differing & (WINDOW << 4)) > TOLERATED
            || Bits.count(differing & (WINDOW << 64)) > TOLERATED
            || Bits.count(differing & (WINDOW << 68)) > TOLERATED;
    }
}
