"""What each command of the front door does; `virtualbrain.cli` only reads the command line."""
