"""Permissions, opt-outs and refusals."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.columns import stamp_japan, words
from simulator.files import write_csv
from simulator.moments import DAY
from simulator.people_columns import (
    current_emails,
    first_emails,
)
from simulator.world import NO_TIME, World


def write_consents(world: World, directory: Path) -> dict[str, int]:
    """Writes consents/consents.csv: permissions given, opt-outs, and refusals of profiling."""
    random = world.random(54)
    known = np.arange(world.people.known_count)
    moment = world.known_moment[known]
    draws = random.random((3, len(known)))
    out = known[world.people.unsubscribed_day[known] < world.calendar.history_days]
    refused = known[world.profiling_refused[known] != NO_TIME]
    parts = [
        (known[draws[0] < 0.75], 0, 1, moment[draws[0] < 0.75], 0),
        (known[draws[1] < 0.30], 2, 1, moment[draws[1] < 0.30], 0),
        (known[draws[2] < 0.40], 1, 1, moment[draws[2] < 0.40], 0),
        (out, 0, 0, world.people.unsubscribed_day[out] * DAY + 20 * 3600, 1),
        (refused, 1, 0, world.profiling_refused[refused], 2),
    ]
    person = np.concatenate([who for who, _, _, _, _ in parts])
    purpose = np.concatenate([np.full(len(who), value) for who, value, _, _, _ in parts])
    granted = np.concatenate([np.full(len(who), value) for who, _, value, _, _ in parts])
    second = np.concatenate([at for _, _, _, at, _ in parts])
    source = np.concatenate([np.full(len(who), value) for who, _, _, _, value in parts])
    order = np.lexsort((purpose, person, second))
    person, purpose, granted, second, source = (values[order] for values in (person, purpose, granted, second, source))
    changed = (world.email_changed[person] != NO_TIME) & (second > world.email_changed[person])
    columns = {
        "email": pc.if_else(pa.array(changed), current_emails(world, person), first_emails(world, person)),
        "purpose": words(["marketing", "profiling", "transfer"], purpose),
        "granted": words(["false", "true"], granted),
        "at": stamp_japan(second + world.epoch),
        "source": words(["form", "unsubscribe_link", "privacy_desk"], source),
    }
    return {"consents/consents.csv": write_csv(directory / "consents" / "consents.csv", columns)}
