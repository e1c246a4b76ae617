"""Compute contacts, channels, envelopes and gain from a patient's SEEG recordings."""
