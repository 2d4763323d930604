"""The broker: talking to it, and translating between its terms and the application's."""
