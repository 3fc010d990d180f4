"""Shows, prints and exports values; computes nothing."""
