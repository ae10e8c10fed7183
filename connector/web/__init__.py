"""What a node's own people see: signing in, the shared layout, the pattern of every page, files that browsers fetch."""
