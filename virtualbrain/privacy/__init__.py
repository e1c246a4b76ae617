"""Find identifying information in a dataset, and write a de-identified copy."""
