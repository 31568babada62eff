"""A number that stands for a set of facts: where it is the same as in a former run, so is what follows from them."""


def mark_sql(fact: str) -> str:
    """SQL that adds up the hashes in a column to one mark; the order in which facts are met plays no part."""
    return f"hash(sum({fact}::HUGEINT))"
