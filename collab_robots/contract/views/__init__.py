"""
What the contracts know and decide, as typed values: one module a contract.

The rules are in Solidity only. A view here asks the contract's own views and keeps the answers
until the facts that they depend on change, or until the time that the contract says.
"""
