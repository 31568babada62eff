"""Which person of today an id of the past stands for: merges are followed, so that any id ever given resolves."""

from collections.abc import Mapping

from core.storage import Workspace


def merged_into(workspace: Workspace) -> dict[str, str]:
    """Every id that was merged away, with the id of today that stands for it."""
    changes = workspace.read_table("identity_changes", ["old_id", "new_id", "changed_at", "kind"]).to_pylist()
    # The table is sorted by time: of several merges of one id the last one holds.
    step: dict[str, str] = {}
    for change in changes:
        if change["kind"] == "merge":
            step[change["old_id"]] = change["new_id"]
        else:
            # A person of their own again.
            step.pop(change["new_id"], None)
    return {old: resolve(step, old) for old in step}


def resolve(step: Mapping[str, str], customer_id: str) -> str:
    """Follow merges from an id to the id that stands for it today.

    >>> resolve({"a": "b", "b": "c"}, "a")
    'c'
    >>> resolve({"a": "b", "b": "a"}, "a")  # merged back and forth: the walk ends where it began to repeat
    'b'
    """
    seen = {customer_id}
    while (following := step.get(customer_id)) is not None and following not in seen:
        seen.add(following)
        customer_id = following
    return customer_id
