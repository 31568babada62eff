import json

import pytest

from core.logs import configure_logs, get_logger


def test_a_log_line_is_json_on_stderr_without_personal_data(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO")
    get_logger("customers").info("merged", rows=3, email="taro@example.jp")
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "merged"
    assert line["rows"] == 3
    assert line["component"] == "customers"
    assert line["email"] == "[hidden]"


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("WARNING")
    get_logger("customers").info("merged")
    assert capsys.readouterr().err == ""
