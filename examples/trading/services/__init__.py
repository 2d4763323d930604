"""What the application does for its clients.

No service knows of batching: the loops below ask for one symbol at a time.
"""
