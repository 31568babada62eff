"""The feature views: one readable query each, over the people and facts visible at each moment."""

__all__: list[str] = []
