// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The linear assignment problem, solved exactly
/// @notice Shortest augmenting paths with dual variables ("prices"), one row at a time, as in
/// D. F. Crouse, "On implementing 2D rectangular assignment algorithms", IEEE Transactions on
/// Aerospace and Electronic Systems 52(4), 2016, which scipy.optimize.linear_sum_assignment is, too:
/// O(rows² columns). Of the exact methods it does least where most rows get one of their best
/// columns, as in an auction. Here a row may also do without a column, at a cost of its own, so any
/// numbers of rows and columns will do. With costs below 2^240 and at most 64 rows and columns nothing
/// overflows, and nothing is checked.
library Assignment {
    int256 private constant FAR = type(int256).max;

    struct Column {
        uint256 index; // from 1
        int256 price;
        uint256 row; // whose column it is, from 1; 0: nobody's
        int256 distance; // in a search: how much worse all rows would be off if it were taken
        uint256 from; // in a search: the row before it on the cheapest path, from 1
    }

    /// What is shared out, and how far that is; rows are counted from 1, and so is `columns`.
    struct Market {
        int256[][] costs; // by row and column
        int256[] aside; // by row: what it costs to do without a column
        int256[] price; // by row
        Column[] columns;
        Column[] order; // the same; from `left` on those that a search reached
        uint256 left;
    }

    /// @notice The assignment of rows to columns, each to at most one, with the lowest total cost.
    /// @dev Equal inputs have equal outputs. A single row gets the first of its cheapest columns. All
    /// arrays are used from 1 on.
    /// @param costs By row, then column.
    /// @param aside By row: what it costs to do without a column.
    /// @param columns How many there are.
    /// @return columnOf By row; 0: none.
    function solve(int256[][] memory costs, int256[] memory aside, uint256 columns)
        internal
        pure
        returns (uint256[] memory columnOf)
    {
        unchecked {
            columnOf = new uint256[](costs.length);
            Market memory m = Market(
                costs, aside, new int256[](costs.length), new Column[](columns + 1), new Column[](columns), 0
            );
            for (uint256 j = 1; j <= columns; j++) {
                m.columns[j].index = j;
                m.order[j - 1] = m.columns[j];
            }
            for (uint256 row = 1; row < costs.length; row++) {
                (Column memory column, uint256 last, int256 worse) = _search(m, row);
                _adjust(m, row, worse);
                if (last != 0) (column, columnOf[last]) = (m.columns[columnOf[last]], 0);
                // Each row on the path takes the next column, and leaves its own to the row before.
                while (column.index != 0) {
                    uint256 i = column.from;
                    column.row = i;
                    (column, columnOf[i]) = (m.columns[columnOf[i]], column.index);
                }
            }
        }
    }

    /// Find the cheapest way to add a row: a path to a column that is nobody's, or to a row that will
    /// do without one. Return the column or the row, and how much worse all rows are off.
    function _search(Market memory m, uint256 row)
        private
        pure
        returns (Column memory reached, uint256 last, int256 worse)
    {
        unchecked {
            Column[] memory order = m.order;
            uint256 left = order.length;
            for (uint256 k = 0; k < left; k++) order[k].distance = FAR;
            int256 quit = FAR;
            while (true) {
                int256 base = worse - m.price[row];
                if (base + m.aside[row] < quit) (quit, last) = (base + m.aside[row], row);
                uint256 best = _scan(m.costs[row], order, left, base, quit, row);
                if (best == left) {
                    (m.left, worse) = (left, quit);
                    return (m.columns[0], last, quit);
                }
                reached = order[best];
                order[best] = order[--left];
                order[left] = reached;
                (row, worse) = (reached.row, reached.distance);
                if (row == 0) {
                    m.left = left;
                    return (reached, 0, worse);
                }
            }
        }
    }

    /// Look at the columns that are not reached yet from one row. Return where the nearest of them is,
    /// their number if none is nearer than `quit`.
    function _scan(
        int256[] memory costs,
        Column[] memory order,
        uint256 left,
        int256 base,
        int256 quit,
        uint256 row
    ) private pure returns (uint256 best) {
        unchecked {
            best = left;
            for (uint256 k = 0; k < left; k++) {
                Column memory column = order[k];
                int256 distance = base + costs[column.index] - column.price;
                if (distance < column.distance) {
                    (column.distance, column.from) = (distance, row);
                } else {
                    distance = column.distance;
                }
                if (distance < quit) (quit, best) = (distance, k);
            }
        }
    }

    /// Change the prices on the paths of a search so that nobody would rather have another column.
    function _adjust(Market memory m, uint256 row, int256 worse) private pure {
        unchecked {
            m.price[row] += worse;
            for (uint256 k = m.left; k < m.order.length; k++) {
                Column memory column = m.order[k];
                int256 change = worse - column.distance;
                column.price -= change;
                m.price[column.row] += change; // of nobody, 0, it is 0
            }
        }
    }
}
