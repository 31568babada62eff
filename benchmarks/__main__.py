"""`make bench`: run the measurements and print both sides of each."""

import argparse
import os
from pathlib import Path

from benchmarks import (
    address_quality,
    automl_quality,
    cold_start,
    estimator_speed,
    feature_build,
    hidden_winners,
    identity_quality,
    ladder_quality,
    online_store,
    simulator_quality,
    unify_again,
    unify_scale,
)
from core.logs import configure_logs
from kizashi.launch import QUIET_ENVIRONMENT


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--customers", type=int, default=30_000, help="people in each simulated company")
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14, 15], help="one company per seed")
    parser.add_argument(
        "--scale", type=int, default=50_000, help="people whose records are unified; 500000 make a million records"
    )
    parser.add_argument(
        "--events", type=int, default=1_000_000, help="events to build features from; 10000000 for a million rows"
    )
    parser.add_argument(
        "--online", type=int, default=online_store.CUSTOMERS, help="people who are brought online beside plain Feast"
    )
    parser.add_argument("--redis", default=online_store.REDIS, help="a Redis database that may be flushed")
    parser.add_argument("--out", type=Path, default=Path("data/bench"), help="where the companies and figures go")
    arguments = parser.parse_args()
    os.environ.update(QUIET_ENVIRONMENT)
    configure_logs()
    address_quality.run()
    identity_quality.run()
    unify_scale.run(arguments.scale, arguments.out)
    unify_again.run(arguments.scale, arguments.out)
    feature_build.run(arguments.events, arguments.out)
    online_store.run(arguments.online, 10 * arguments.online, arguments.out, arguments.redis)
    hidden_winners.run(arguments.customers // 3, arguments.seeds[:3], arguments.out)
    cold_start.run(arguments.out)
    ladder_quality.run()
    automl_quality.run(arguments.out)
    estimator_speed.run()
    simulator_quality.run(arguments.customers, arguments.seeds, arguments.out)


if __name__ == "__main__":
    main()
