"""Pavo: deeply nested JSON, decorated mappers, reports out of templates."""
