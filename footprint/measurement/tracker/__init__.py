"""The live tracker: words in, a thread that reads, journals that outlive it, and the run that they tell."""
