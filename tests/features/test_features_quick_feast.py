"""Feast is imported without being rewritten, and typeguard still checks whoever asks it to."""

import pytest
import typeguard

from features.store import FeatureStore


def test_feast_classes_are_left_as_they_were_written() -> None:
    views = FeatureStore.__init__.__globals__["FeatureView"]
    names = {name for code in (views.__init__, views.__eq__) for name in code.__code__.co_names}
    assert names
    assert not any(name.startswith("check_") for name in names)


def test_typeguard_still_checks_everybody_else() -> None:
    @typeguard.typechecked
    def double(number: int) -> int:
        return 2 * number

    @typeguard.typechecked(forward_ref_policy=typeguard.ForwardRefPolicy.WARN)
    def treble(number: int) -> int:
        return 3 * number

    assert double(2) + treble(1) == 7
    for function in (double, treble):
        with pytest.raises(typeguard.TypeCheckError):
            function("2")  # type: ignore[arg-type]
