"""What the application does for its clients.

No service knows of batching: the brokers' loops below them ask for one symbol at a time.
"""
