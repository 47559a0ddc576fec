"""Look at a run and at its ledger: the demo, its live view, its checks and its report."""
