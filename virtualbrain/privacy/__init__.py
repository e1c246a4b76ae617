"""What in a dataset says who the patient is, and a copy without it."""
