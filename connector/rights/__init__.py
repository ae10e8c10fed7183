"""What this node may lean on: the standing list, permits, the grants that lean on them, and their end."""
