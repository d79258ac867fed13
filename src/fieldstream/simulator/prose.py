"""Plausible English about any subject: the same words for the same random numbers.

`about` is a text that says what it is about, a question usually. Its content words find their way into the sentences.
"""

import random
import re

from fieldstream.simulator.corpus import ANSWERS, ARGUMENTS, FACTS, SENTENCES, TITLES, Fact

_SMALL = (
    "a about after all also am an and any are as at be been before being between both but by can could describe did do "
    "does each explain find first for from get give had has have he her here him his how i if in into is it its just "
    "know let like list make many may me might more most much must my name near need new no not now of off on one only "
    "or other our out over please say she should show so some such tell than that the their them then there these they "
    "this those through to today tomorrow too under up us use very want was we were what when where which while who "
    "whom why will with would write you your short sentence sentences word words"
)
_STOP = frozenset(_SMALL.split())
_ARITHMETIC = re.compile(r"(?<![\w.])(-?\d{1,9})\s*([-+*×])\s*(\d{1,9})(?![\w.])")


def keywords(about: str, most: int) -> list[str]:
    """The first content words of a text, at most so many and at least one."""
    words = [word for word in re.findall(r"[^\W\d_]{2,}", about[:2000]) if word.lower() not in _STOP]
    return list(dict.fromkeys(words))[:most] or ["matter"]


def proper_name(about: str) -> str:
    """The last name in a text: capitalised words that do not begin it. `""` where there is none."""
    names = re.findall(r"(?<=[^\W_] )[A-ZÀ-Ý]\w+(?: [A-ZÀ-Ý]\w+)*", about[:2000])
    return names[-1] if names else ""


def query(about: str) -> str:
    """What one would search for."""
    sum_ = _ARITHMETIC.search(about)
    return sum_[0] if sum_ else " ".join(keywords(about, 4))


def title(about: str, rng: random.Random) -> str:
    """A heading."""
    return _filled(rng.choice(TITLES), about).replace("  ", " ")


def sentence(about: str, rng: random.Random) -> str:
    """One sentence."""
    return _filled(rng.choice(SENTENCES), about)


def reasoning(about: str, rng: random.Random, words: int | None = None) -> str:
    """A short argument, or one of about so many words."""
    fact = _fact(about)
    if fact is not None:
        known = list(fact.argument)
    else:
        picked = sorted(rng.sample(range(1, len(ARGUMENTS) - 1), 2))
        known = [_filled(ARGUMENTS[at], about) for at in (0, *picked, len(ARGUMENTS) - 1)]
    return _of_length(known, about, rng, words)


def answer(about: str, rng: random.Random, words: int | None = None) -> str:
    """An answer of one or two sentences, or of about so many words."""
    sum_ = _ARITHMETIC.search(about)
    fact = _fact(about)
    if sum_:
        known = [f"{sum_[0]} = {_calculated(sum_)}."]
    elif fact is not None:
        known = list(fact.answer)
    else:
        known = [_filled(rng.choice(ANSWERS), about)]
        if rng.random() < 0.6:
            known.append(sentence(about, rng))
    return _of_length(known, about, rng, words)


def _of_length(known: list[str], about: str, rng: random.Random, words: int | None) -> str:
    if words is None:
        return " ".join(known)
    made: list[str] = []
    for part in known:
        if words <= 0:
            break
        split = part.split(" ")
        made += split[: max(words, 0)]
        words -= len(split)
    while words > 0:
        pool = [_filled(template, about).split(" ") for template in rng.sample(SENTENCES, len(SENTENCES))]
        for split in pool:
            if words <= 0:
                break
            made += split[:words]
            words -= len(split)
    text = " ".join(made)
    return text if text.endswith((".", "?", "!", "🌊")) or not text else text.rstrip(",;:–") + "."


def _filled(template: str, about: str) -> str:
    topic = [*keywords(about, 2)]
    first, second = topic[0], topic[1] if len(topic) > 1 else "its context"
    return template.format(a=first, b=second, A=first[:1].upper() + first[1:], B=second[:1].upper() + second[1:])


def _fact(about: str) -> Fact | None:
    words = [word.lower() for word in re.findall(r"\w+", about[:2000])]
    for fact in FACTS:
        if all(any(word.startswith(start) for word in words) for start in fact.words):
            return fact
    return None


def _calculated(match: re.Match[str]) -> int:
    left, right = int(match[1]), int(match[3])
    return {"+": left + right, "-": left - right}.get(match[2], left * right)
