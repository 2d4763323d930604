"""Caches that outlive a request, for loaders whose values are the same for every user."""
