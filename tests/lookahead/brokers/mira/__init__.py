"""Mira: a REST broker; dictionaries all the way, cash codes carry an -EQ tail."""
