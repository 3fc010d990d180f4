"""The package's version, on the lowest floor: results carry it, so every floor may read it."""

__version__ = "0.1.0"
