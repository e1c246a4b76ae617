"""The Bayesian fit of the epileptogenic zone: priors, model, sampling, zones, diagnostics."""
