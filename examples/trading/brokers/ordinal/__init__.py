"""A broker that speaks numbers: an instrument is its token and the code of its segment.

Numbers come as text and text as numbers, and not the same way in each book. Names are two letters.
"""
