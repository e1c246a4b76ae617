"""Virtual surgery over the posterior: candidates, outcomes, ranking."""
