"""What a robot does next: frontiers become tasks, tasks become bids, an award becomes a drive."""
