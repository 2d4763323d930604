"""Rigel: pydantic models at the border, generators behind it."""
