"""Orion: an object-oriented plug-in; rows look themselves up."""
