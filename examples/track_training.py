"""Measure a training loop: windows, tokens, numbers for a log, and the result."""

import footprint

with footprint.track("example", country="FRA", params="125M", steps=5, tags=["example"]) as run:
    for _ in range(5):
        with run.window("step"):
            loss = sum(i * i for i in range(200_000))
        run.step(tokens=2048)
    print({key: f"{value:.3g}" for key, value in run.metrics().items()})

print(run.result)
