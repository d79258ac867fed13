"""What words mean that stand without quotes: numbers, names, strings.

Rules of this file: it sees a whole word and the character after it. Undamaged JSON means what ``json.loads`` says,
anything else what ``json_repair`` makes of it: it takes ``.5``, ``007``, ``1_000``, and ``True`` or ``none`` in any
case; dates and fractions are strings; and ``...`` in an array is nothing.
"""

import ast
import math
import re
import sys
from typing import Final, Literal, TypeAlias, cast

Scalar: TypeAlias = int | float | bool | None

Meaning: TypeAlias = tuple[Literal["scalar"], Scalar] | tuple[Literal["string", "bare"], str] | None
"""A scalar, a whole string, the first word of a string, or nothing."""

NUMERIC: Final = "0123456789-.eE/,_"
"""What ``json_repair`` takes for a part of a number."""

NAMES: Final = {"true": True, "false": False, "null": None, "none": None}
"""Names of scalars, in lower case."""

_JSON_NAMES: Final[dict[str, Scalar]] = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": math.nan,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
}
_JSON_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null|NaN|-?Infinity")
_FEW: Final = sys.int_info.str_digits_check_threshold
"""So many digits Python always takes."""

_PYTHON_SCALAR = re.compile(
    r"""[ \t]*(?:'(?:[^'\\\n\r\0]|\\(?:[\\'"abfnrtv]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}))*+'|True|False|None"""
    r"""|[-+]?[0-9][0-9_.]*+(?:[eE][-+]?[0-9]+)?)\s*"""
)
_NUMBER = re.compile(r"[-.0-9](?:[-.0-9/_,]|[eE]\+?)*+")


def meaning(word: str, follows: str, *, strict: bool, in_object: bool) -> Meaning:
    """What a word means before this character; none at the text's end."""
    if strict and is_json(word):
        return "scalar", _of_json(word)
    if word.lower() in NAMES and (not follows or follows.isspace() or follows in ",)]}"):
        return "scalar", NAMES[word.lower()]
    found = _NUMBER.match(word)
    if not found or word[found.end() : found.end() + 1].isalpha():
        rest = word.lstrip("-.")
        return ("bare", rest) if follows and follows not in ',]}"' else ("string", rest)
    literal = found[0].replace("_", "")
    # In an object, a comma belongs to the number, and is what is taken off.
    if literal[-1:] in tuple("+-eE/,") and not (in_object and follows == ","):
        literal = literal[:-1]
    if "," not in literal:
        try:
            return "scalar", float(literal) if re.search("[.eE]", literal) else int(literal)
        except ValueError:
            pass
    return None if literal in ("", "...") and not in_object else ("string", literal)


def is_json(word: str) -> bool:
    """Whether JSON has this word, and ``json.loads`` takes it."""
    return _JSON_SCALAR.fullmatch(word) is not None and (len(word) <= _FEW or not _has_too_many_digits(word))


def _has_too_many_digits(word: str) -> bool:
    digits = word.removeprefix("-")
    return 0 < sys.get_int_max_str_digits() < len(digits) and digits.isdigit()


def _of_json(word: str) -> Scalar:
    """What a word of JSON means; ``json.loads`` takes ten times as long to say so."""
    if word in _JSON_NAMES:
        return _JSON_NAMES[word]
    return float(word) if "." in word or "e" in word or "E" in word else int(word)


def alone(text: str) -> Scalar | str:
    """What a text means that has no container: a scalar, a string of Python, or itself."""
    stripped = text.strip(" \t\n\r")
    try:
        if is_json(stripped):
            return _of_json(stripped)
        if _PYTHON_SCALAR.fullmatch(text):
            return cast("Scalar | str", ast.literal_eval(text))
    except (ValueError, SyntaxError):
        pass
    return text
