"""What the application does for its clients.

Each service announces once which symbols the loop below it is going to ask for.
"""
