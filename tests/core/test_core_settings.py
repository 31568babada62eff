from pathlib import Path

import pytest

from core.errors import ConfigurationError
from core.settings import load_settings

GOOD = """
sources:
  - name: leads
    system: crm
    path: leads.csv
    people: {id: Id}
"""


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_small_configuration_gets_its_name_and_workspace_from_the_file(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, GOOD))
    assert settings.name == "mine"
    assert settings.home == Path("data/mine")
    assert settings.timezone == "Asia/Tokyo"
    assert settings.models["lead"].label.horizon_days == 90


def test_all_faults_are_reported_at_once_with_a_suggestion(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        GOOD + "hott: {enter: 0.5}\nhot: {enter: 0.1, leave: 0.2}\ntimezone: Tokio\nas_of: 2026-01-01T00:00:00\n",
    )
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path)
    sentence = caught.value.sentence
    assert "has 4 faults" in sentence
    assert "unknown key 'hott', did you mean 'hot'?" in sentence
    assert "leave must not be above enter" in sentence
    assert "timezone: this is no time zone" in sentence
    assert "give the offset too" in sentence
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sources: [", "is no valid YAML"),
        ("- a\n- b\n", "holds list"),
        ("sources: []\n", "name at least one source"),
        ("sources:\n  - {name: a, system: a, path: a.csv}\n", "maps to nothing"),
        ("sources:\n  - {name: a, system: a, people: {id: Id}}\n", "a file source needs path"),
        ("sources:\n  - {name: a, system: a, path: s3://b/a.csv, people: {id: Id}}\n", "mount the object storage"),
        ("sources:\n  - {name: a, preset: markto, path: a.csv}\n", "'markto' is unknown"),
        ("sources:\n  - {name: a, preset: markto_leads, path: a.csv}\n", "did you mean 'marketo_leads'?"),
        (GOOD + "locale: de\n", "locale: found 'de', expected 'ja' or 'en'"),
        (GOOD + "hot: {enter: 2}\n", "hot.enter: found 2, expected a number below 1"),
        (GOOD + "hot: high\n", "hot: found 'high', expected keys with values"),
        (GOOD + "features: {windows_days: week}\n", "features.windows_days: found 'week', expected a list"),
        (GOOD + "models: {lead: {label: {horizon_days: soon}}}\n", "found 'soon', expected a whole number"),
        (GOOD + "as_of: tomorrow\n", "as_of: found 'tomorrow', expected a moment such as"),
        (GOOD + "consent: {profiling: perhaps}\n", "consent.profiling: found 'perhaps', expected true or false"),
        (GOOD + "real_data: 5\n", "real_data: found 5, expected a path"),
        (
            GOOD + "activation: {channels: [{kind: fax, name: a}]}\n",
            "found keys with values, expected 'webhook', 'slack'",
        ),
        (GOOD + GOOD.strip().removeprefix("sources:"), "twice: leads"),
    ],
)
def test_wrong_configurations_are_refused_in_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(tmp_path, text))
    assert told in caught.value.sentence
    assert "Input should" not in caught.value.sentence
    assert "\n" not in caught.value.sentence


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        load_settings(tmp_path / "absent.yaml")


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIZASHI_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("KIZASHI_MODELS__LEAD__LABEL__HORIZON_DAYS", "30")
    settings = load_settings(write(tmp_path, GOOD + "home: here\nmodels: {lead: {label: {attribution: account}}}\n"))
    assert settings.home == tmp_path / "elsewhere"
    assert settings.models["lead"].label.horizon_days == 30
    assert settings.models["lead"].label.attribution == "account"


def test_an_extending_file_lies_over_its_base(tmp_path: Path) -> None:
    write(tmp_path, GOOD + "models: {lead: {label: {horizon_days: 30}, spine: {every: week}}}\n", "base.yaml")
    settings = load_settings(write(tmp_path, "extends: base.yaml\nmodels: {lead: {label: {horizon_days: 60}}}\n"))
    assert settings.name == "mine"
    assert settings.models["lead"].label.horizon_days == 60
    assert settings.models["lead"].spine.every == "week"


def test_a_file_that_extends_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="extends itself"):
        load_settings(write(tmp_path, "extends: mine.yaml\n"))


def test_settings_do_not_change_after_reading(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, GOOD))
    with pytest.raises(ValueError, match="frozen"):
        settings.locale = "en"


def test_secrets_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIZASHI_DATABASE_URL", "postgresql://kizashi:secret@db/kizashi")
    assert "secret" not in repr(load_settings(write(tmp_path, GOOD)))


@pytest.mark.parametrize("path", sorted(Path("conf").rglob("*.yaml")), ids=str)
def test_every_shipped_configuration_loads(path: Path) -> None:
    assert load_settings(path).sources
