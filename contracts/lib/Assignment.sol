// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The linear assignment problem, solved exactly
/// @notice Shortest augmenting paths with dual variables ("prices"), one row at a time, as in
/// D. F. Crouse, "On implementing 2D rectangular assignment algorithms", IEEE Transactions on
/// Aerospace and Electronic Systems 52(4), 2016, which scipy.optimize.linear_sum_assignment is, too:
/// O(rows² columns). Of all exact methods it does least where most rows get one of their best
/// columns, as in an auction. With costs below 2^48 and at most 64 columns every number stays below
/// 2^56, so nothing overflows and nothing is checked.
library Assignment {
    int256 private constant FAR = type(int256).max;

    struct Column {
        uint256 index;
        int256 price;
        uint256 row; // whose column it is, + 1; 0: nobody's
        int256 distance; // in this search: how much worse all rows would be off if it were taken
        uint256 from; // in this search: the row before it on the cheapest path
    }

    /// @notice The assignment of each row to a column of its own with the lowest total cost.
    /// @dev Equal inputs have equal outputs. A single row gets the first of its cheapest columns.
    /// @param costs By row, then column; each below 2^48. At least as many columns as rows, at most 64.
    /// @return columnOf By row.
    function solve(int256[][] memory costs) internal pure returns (uint256[] memory columnOf) {
        unchecked {
            columnOf = new uint256[](costs.length);
            int256[] memory price = new int256[](costs.length);
            Column[] memory taken = new Column[](costs.length); // by row
            Column[] memory columns = new Column[](costs[0].length);
            for (uint256 j = 0; j < columns.length; j++) columns[j].index = j;
            for (uint256 row = 0; row < costs.length; row++) {
                (Column memory column, uint256 k) = _search(costs, price, columns, row);
                // On the way, prices become so that the change is worth it for nobody.
                int256 worse = column.distance;
                price[row] += worse;
                while (++k < columns.length) {
                    columns[k].price -= worse - columns[k].distance;
                    price[columns[k].row - 1] += worse - columns[k].distance;
                }
                // Each row on the way takes the next column, and leaves its own to the row before.
                for (uint256 i = row + 1; i != row; ) {
                    i = column.from;
                    column.row = i + 1;
                    (taken[i], column) = (column, taken[i]);
                }
            }
            for (uint256 i = 0; i < taken.length; i++) columnOf[i] = taken[i].index;
        }
    }

    /// Find the cheapest path from a new row to a column that is nobody's.
    /// Return the column, and where in `columns`, which is reordered, those begin that were reached.
    function _search(
        int256[][] memory costs,
        int256[] memory price,
        Column[] memory columns,
        uint256 row
    ) private pure returns (Column memory reached, uint256 left) {
        unchecked {
            left = columns.length;
            for (uint256 k = 0; k < left; k++) columns[k].distance = FAR;
            int256 lowest;
            while (true) {
                uint256 best = _scan(costs[row], columns, left, lowest - price[row], row);
                reached = columns[best];
                columns[best] = columns[--left];
                columns[left] = reached;
                if (reached.row == 0) return (reached, left);
                (lowest, row) = (reached.distance, reached.row - 1);
            }
        }
    }

    /// Look at the columns that are not reached yet from one row; return where the nearest of them is.
    function _scan(
        int256[] memory costs,
        Column[] memory columns,
        uint256 left,
        int256 base,
        uint256 row
    ) private pure returns (uint256 best) {
        unchecked {
            int256 lowest = FAR;
            for (uint256 k = 0; k < left; k++) {
                Column memory column = columns[k];
                int256 distance = base + costs[column.index] - column.price;
                if (distance < column.distance) {
                    (column.distance, column.from) = (distance, row);
                } else {
                    distance = column.distance;
                }
                if (distance < lowest) (lowest, best) = (distance, k);
            }
        }
    }
}
