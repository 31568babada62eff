from kizashi.reference import PAGE, configuration_page


def test_the_configuration_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == configuration_page(), "run `python -m kizashi.reference`"
