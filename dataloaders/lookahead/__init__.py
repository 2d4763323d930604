"""Look-ahead: finding the keys that a loop is about to ask for, before it does."""
