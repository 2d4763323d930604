"""Applications that use the library; start with `trading`."""
