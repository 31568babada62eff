"""A number that stands for a set of facts: where it is the same as in a former run, so is what follows from them."""

# A prime below 2^64, which keeps the sum within one number.
_BELOW = 18_446_744_073_709_551_557


def mark_sql(fact: str) -> str:
    """SQL that adds the hashes in a column up to one mark; the order in which facts are met plays no part."""
    return f"(sum({fact}::HUGEINT) % {_BELOW})::UBIGINT"
