"""What the provider knows: a few answers with their arguments, and sentences that go with any subject.

All of it was written for this project. In a sentence, `{a}` and `{b}` are words of the question.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """An answer to questions that have all these words (or beginnings of words), with the argument for it."""

    words: tuple[str, ...]
    argument: tuple[str, ...]
    answer: tuple[str, ...]


FACTS = (
    Fact(
        ("sky", "blue"),
        (
            "Sunlight holds every colour, so something between the sun and our eyes must favour one of them.",
            "Air molecules are far smaller than a wavelength of light.",
            "Such small obstacles scatter short waves much more strongly than long ones: as 1/λ⁴.",
            "Blue at about 450 nm is therefore scattered some four times as much as red at 650 nm.",
            "Violet is scattered more still, but sunlight has less of it, and our eyes hardly see it.",
        ),
        (
            "The sky is blue because air scatters the short, blue waves of sunlight far more than the long, red ones.",
            "At sunset the light has crossed so much air that the blue is gone, and what is left is red.",
        ),
    ),
    Fact(
        ("sea", "salt"),
        (
            "Rain takes up a little carbon dioxide on its way down, so it is slightly acid and dissolves rock.",
            "Rivers carry those dissolved minerals to the sea, and hot vents on the sea floor add more.",
            "Water leaves the sea again by evaporating, but salt does not.",
        ),
        ("The sea is salty because rivers bring dissolved minerals and only the water evaporates – the salt stays.",),
    ),
    Fact(
        ("tide",),
        (
            "The moon pulls harder on the side of the Earth that faces it than on the far side.",
            "That difference makes two bulges of the oceans, and the turning Earth carries each coast through both.",
            "The sun does the same, a little less than half as strongly.",
        ),
        ("Tides are the oceans' answer to the moon's uneven pull: most coasts see two a day. 🌊",),
    ),
    Fact(
        ("rainbow",),
        (
            "A raindrop bends light as it enters, reflects it at the back, and bends it again as it leaves.",
            "Each colour is bent by a slightly different amount, and each leaves the drop most brightly near 42°.",
        ),
        ("A rainbow is sunlight that raindrops have bent, reflected and spread out by colour, 42° from your shadow.",),
    ),
    Fact(
        ("leaves",),
        (
            "In summer, chlorophyll's green covers every other pigment in a leaf.",
            "When days grow short, trees take chlorophyll apart to save its nitrogen.",
            "Yellow carotenoids come to light, and some trees make red anthocyanins on top.",
        ),
        ("Leaves change colour because trees recover their green chlorophyll in autumn, and other pigments remain.",),
    ),
    Fact(
        ("capital", "france"),
        (
            "The question asks for France's seat of government.",
            "That has been Paris, with short interruptions, since 987.",
        ),
        ("The capital of France is Paris.",),
    ),
    Fact(
        ("capital", "japan"),
        (
            "The question asks for Japan's seat of government.",
            "The emperor moved from Kyōto to Edo in 1868, and Edo became Tōkyō.",
        ),
        ("The capital of Japan is Tōkyō (東京).",),
    ),
    Fact(
        ("dspy",),
        (
            "DSPy programs say what goes in and what comes out, not how a prompt is worded.",
            "An adapter turns that signature into a prompt, and the model's text back into fields.",
        ),
        ("DSPy is a framework for programming language models with signatures and modules, not with prompts.",),
    ),
    Fact(
        ("bread", "rise"),
        (
            "Yeast eats the sugars in the dough and breathes out carbon dioxide.",
            "Gluten, kneaded into a stretchy net, holds the bubbles in.",
        ),
        ("Bread rises because yeast fills its elastic dough with bubbles of carbon dioxide, and the oven sets them.",),
    ),
)

ARGUMENTS = (
    "The question is about {a}, so let us first be clear about what is meant by that.",
    "What we can observe of {a} comes before any theory of it.",
    "Two things matter here: what {a} depends on, and what changes when {b} does.",
    "If {b} stays fixed and everything else varies, the pattern behind {a} becomes visible.",
    "An obvious explanation would be chance, but then {a} would not look the same every time.",
    "A naïve reading stops at {a}; a careful one asks what {b} adds to it.",
    "Small effects add up: what seems negligible for {b} alone is not negligible for {a}.",
    "The simplest account that fits {a} is to be preferred – there is no reason yet for a second one.",
    "One objection remains, namely that {b} might come first; the order of events speaks against it.",
    "Taken together, these points leave one answer that fits {a} and {b} alike.",
)

ANSWERS = (
    "In short, {a} follows from {b} and the conditions around it.",
    "{A} is best understood through {b}: one explains the other.",
    "What decides {a} is {b}, and everything else is detail.",
    "The short answer is that {a} and {b} belong together, and that neither makes sense alone.",
)

SENTENCES = (
    "{A} has more to it than first meets the eye.",
    "Much of what is said about {a} goes back to {b}.",
    "Those who know {b} well speak of {a} with some respect.",
    "It helps to look at {a} from the side of {b}.",
    "In practice, {a} rarely comes without {b}.",
    "Over coffee in a café one would say it more simply: {b} makes {a} what it is.",
    "Careful measurements put the effect of {b} at ≈ 12 %, give or take a little.",
    "None of this is new; what is new is how clearly {a} shows it.",
    "A good example is {b}, where the same can be seen on a smaller scale.",
    "From there it is only a step to {a}.",
    "That is why {b} is usually mentioned first, and {a} second.",
    "“It depends”, an expert would say, and then explain on what: on {b}.",
)

TITLES = ("A Short History of {A}", "{A}, Explained", "What {A} Tells Us About {B}", "On {A} and {B}")
