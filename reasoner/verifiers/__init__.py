"""Verifiers score finished nodes. Scores of different sources are never compared raw."""
