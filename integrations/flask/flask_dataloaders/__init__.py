"""Gives each Flask request a scope of data loaders."""

from .extension import DataLoaders

__all__ = ["DataLoaders"]
