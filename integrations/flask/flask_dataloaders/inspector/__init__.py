"""The inspector: pages that show what the last requests looked up, and what was sent for that."""
