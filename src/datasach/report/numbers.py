"""Numbers, days and names as people read them: Vietnamese in Vietnamese text, English in English text.

1234.5   vi 1.234,5    en 1,234.5
0.9823   vi 98,2 %     en 98.2 %
"""

from __future__ import annotations

from datetime import date

NO_BREAK = "\N{NO-BREAK SPACE}"
_TO_VIETNAMESE = str.maketrans(",.", ".,")
SIZES = ("B", "KB", "MB", "GB")


def en(number: float, digits: int = 0) -> str:
    """
    >>> en(1234.56, 1), en(1234)
    ('1,234.6', '1,234')
    """
    return f"{number:,.{digits}f}"


def vi(number: float, digits: int = 0) -> str:
    """
    >>> vi(1234.56, 1), vi(1234)
    ('1.234,6', '1.234')
    """
    return en(number, digits).translate(_TO_VIETNAMESE)


def one_digit(number: float) -> str:
    """
    >>> one_digit(1234.56)
    '1.234,6'
    """
    return vi(number, 1)


def percent(share: float) -> str:
    """A share with one digit, never rounded up to a hundred nor down to nothing.

    >>> percent(0.98234), percent(1.0), percent(0.99999), percent(0.00001)
    ('98,2\\xa0%', '100\\xa0%', '99,9\\xa0%', '0,1\\xa0%')
    """
    if share in (0, 1):
        return f"{share * 100:.0f}{NO_BREAK}%"
    # 99.97 % must not read as "nothing is wrong".
    return vi(min(99.9, max(0.1, share * 100)), 1) + NO_BREAK + "%"


class Percent(float):
    """A share that is to be written as a percentage, in either language."""


def percent_en(share: float) -> str:
    """
    >>> percent_en(0.98234)
    '98.2%'
    """
    return percent(share).translate(_TO_VIETNAMESE).replace(NO_BREAK, "")


def size(number: int) -> str:
    """
    >>> size(523), size(15_300), size(1_530_000)
    ('523\\xa0B', '15,3\\xa0KB', '1,5\\xa0MB')
    """
    value = float(number)
    for unit in SIZES:
        if value < 1000 or unit == SIZES[-1]:
            return vi(value, 0 if unit == "B" else 1) + NO_BREAK + unit
        value /= 1000
    raise AssertionError


def day(value: date | str) -> str:
    """
    >>> day("2025-11-14")
    '14/11/2025'
    """
    when = date.fromisoformat(value) if isinstance(value, str) else value
    return f"{when:%d/%m/%Y}"


def as_day(value: str) -> date:
    """An ISO day as a date."""
    return date.fromisoformat(value)


def short_day(value: date | str) -> str:
    """
    >>> short_day("2025-11-04")
    '04/11'
    """
    return day(value)[:5]
