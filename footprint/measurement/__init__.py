"""Measuring: sensors, the thread that reads them, what they add up to, and the journal they are kept in."""
