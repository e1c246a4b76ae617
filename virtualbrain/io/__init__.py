"""Files in and out: the only room that knows their names."""
