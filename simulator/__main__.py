"""Command line of the simulator alone: `python -m simulator DIR --customers N --months M --seed S --locale ja|en`."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from simulator.company import simulate_company


def main() -> int:
    """Writes one simulated company; prints the summary as JSON."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description="Write the exports of a made-up company.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--customers", type=int, default=5000)
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--locale", choices=["ja", "en"], default="ja")
    chosen = parser.parse_args()
    try:
        summary = simulate_company(
            chosen.directory,
            customers=chosen.customers,
            months=chosen.months,
            seed=chosen.seed,
            locale=chosen.locale,
            progress=lambda step, share: print(f"{share:4.0%} {step}", file=sys.stderr),
        )
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(asdict(summary), ensure_ascii=False))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
