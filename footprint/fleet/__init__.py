"""Past and distributed runs: what other tools measured, as runs of our own."""
