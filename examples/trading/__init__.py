"""A small trading platform that looks symbols up one at a time, as such platforms do."""
