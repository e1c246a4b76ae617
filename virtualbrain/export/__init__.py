"""Write a fitted patient as files that other software opens."""
