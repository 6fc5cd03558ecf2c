"""Phone numbers as people write them."""

import phonenumbers


def phone_words(number: str) -> str:
    """ "(415) 555-0111" for +14155550111; with its country where that is not the United States; as it is when it is none."""
    try:
        found = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    form = phonenumbers.PhoneNumberFormat
    return phonenumbers.format_number(found, form.NATIONAL if found.country_code == 1 else form.INTERNATIONAL)
