"""Cohorts: one row per patient, and sums shared between sites without any person in them."""
