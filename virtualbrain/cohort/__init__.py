"""Cohorts: a table of patients, and anonymous aggregates that sites can share."""
