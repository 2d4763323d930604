"""Quasar: data frames from its reports, a private ledger, closures over the session."""
