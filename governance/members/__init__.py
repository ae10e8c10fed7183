"""The operator's members: who takes part with which keys, and the standing list that says so to everybody."""
