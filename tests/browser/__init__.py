"""Pages before a real browser."""
