import pytest

from core.settings import PRESET_DIRECTORY
from kizashi.preset_reference import PAGE, preset_notes, presets_page


def test_the_page_tells_what_the_presets_do():
    assert PAGE.read_text(encoding="utf-8") == presets_page(), "run `python -m kizashi.preset_reference`"


@pytest.mark.parametrize("path", sorted(PRESET_DIRECTORY.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_preset_names_its_source_and_since_when_rows_are_known(path):
    notes = preset_notes(path.read_text(encoding="utf-8"))
    assert notes[""]
    assert {"Source", "Recorded"} <= notes.keys()
