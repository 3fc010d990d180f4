"""The README's gallery, drawn from presets: `python tests/gallery.py` (needs the extra `images`)."""

from __future__ import annotations

from pathlib import Path

from footprint import charts

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "gallery"
MOST_BYTES = 1_000_000
PICTURES = {
    "answer": lambda: charts.answer("llama-3.1-405b"),
    "hours": lambda: charts.hours("llama-3.1-405b"),
    "quality": lambda: charts.quality(),
    "world": lambda: charts.world("llama-3.1-405b"),
    "pareto": lambda: charts.pareto(
        "llama-3.1-70b",
        accelerators=["h100-sxm", "b200"],
        counts=[2048, 8192],
        regions=["aws/us-east-1", "aws/eu-north-1"],
    ),
}


def main() -> None:
    """Draw each picture anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, picture in PICTURES.items():
        charts.write(picture(), FOLDER / f"{name}.svg")
        print(f"{name}.svg: {(FOLDER / f'{name}.svg').stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
