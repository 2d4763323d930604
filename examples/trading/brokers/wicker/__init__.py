"""A broker whose rows are objects inside objects, and whose exchanges are parts of segments."""
