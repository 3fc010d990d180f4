"""Callbacks for training frameworks and codecarbon's output: thin adaptors over the tracker.

A framework is imported when its class is first asked for: `from footprint.integrations.transformers import
FootprintCallback`.
"""
