"""The life cycle of people: which stage they were in, since when, and since when that is known."""
