"""Functions behind the commands; `virtualbrain.cli` parses the command line."""
