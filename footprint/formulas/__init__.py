"""Pure equations on floats or arrays: the line with `=` in each docstring is the equation that is computed."""
