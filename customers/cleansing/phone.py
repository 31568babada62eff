"""Telephone numbers in E.164."""

import phonenumbers

from customers.cleansing.text import tidy_text


def normalise_phone(text: str, region: str = "JP") -> str | None:
    """The number in E.164, read as one of `region` when it has no country code; None when it is no possible number.

    >>> normalise_phone("０３－１２３４－５６７８"), normalise_phone("+1 650 253 0000"), normalise_phone("12")
    ('+81312345678', '+16502530000', None)
    """
    tidied = (tidy_text(text) or "").replace("ー", "-").replace("‐", "-").replace("−", "-")
    try:
        number = phonenumbers.parse(tidied, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
