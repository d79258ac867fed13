"""Names of modules: those that ``named_predictors()`` gives, and for others a path that says where they come from."""

from collections.abc import Iterator
from typing import Any

import dspy
import pytest

from fieldstream.tap import Names

REACT: Any = dspy.ReAct  # DSPy's types do not know that a signature may be a string.


class Inner(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = dspy.Predict("question -> answer")
        self.many = [dspy.Predict("a -> b"), dspy.ChainOfThought("a -> c")]
        self.by_key = {"k": dspy.Predict("a -> d")}


class Outer(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()
        self.cot = dspy.ChainOfThought("question -> answer")


def test_every_predictor_has_the_name_that_dspy_gives_it() -> None:
    program = Outer()
    names = Names(program, {})
    for name, predictor in program.named_predictors():
        assert names.of(predictor) == name


class Shared(dspy.Module):
    """The same parts in several places, and more of them in a tuple and a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.one = dspy.ChainOfThought("question -> answer")
        self.again = self.one.predict
        self.parts = (Inner(), self.again, dspy.Predict("x -> y"))
        self.table = {"cot": self.one, 3: REACT("question -> answer", tools=[])}


@pytest.mark.parametrize("program", [Inner(), Outer(), Shared(), dspy.Predict("a -> b"), REACT("a -> b", tools=[])])
def test_the_names_of_all_predictors(program: dspy.Module) -> None:
    assert list(Names(program, {}).predictors().items()) == program.named_predictors()


class Named(dspy.Module):
    """Names its predictors itself."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = {"deep": {"er": dspy.Predict("a -> b")}}

    def named_predictors(self) -> list[tuple[str, dspy.Predict]]:
        return [("mine", self.hidden["deep"]["er"])]


def test_a_module_that_names_its_predictors_itself() -> None:
    program = Named()
    assert list(Names(program, {}).predictors()) == ["mine"]


def test_a_long_history_costs_nothing() -> None:
    class Counted(list[object]):
        read = 0

        def __iter__(self) -> Iterator[object]:
            Counted.read += 1
            return super().__iter__()

    program = Outer()
    program.history = program.cot.predict.history = Counted([{}] * 10_000)
    assert Names(program, {}).of(program.cot.predict) == "cot.predict"
    assert Counted.read == 0


def test_modules_have_paths_too() -> None:
    program = Outer()
    names = Names(program, {})
    assert names.of(program.inner) == "inner"
    assert names.of(program.cot) == "cot"
    assert names.of(program.inner.many[1]) == "inner.many[1]"
    assert names.of(program.inner.by_key["k"]) == "inner.by_key['k']"


def test_the_program_itself() -> None:
    program = Outer()
    assert Names(program, {}).of(program) == "Outer"
    predictor = dspy.Predict("question -> answer")
    assert Names(predictor, {}).of(predictor) == "self"


def test_what_a_program_makes_on_its_way() -> None:
    made: Any = Inner()
    names = Names(Outer(), {})
    assert names.of(dspy.Predict("x -> y")) == "Predict"
    assert Names(lambda: None, {}).of(made.first) == "Predict"


def test_a_copy_has_the_name_of_its_original() -> None:
    program = Outer()
    names = Names(program, {})
    assert names.of(program.cot.deepcopy()) == "cot"
    assert names.of(program.inner.deepcopy()) == "inner"


def test_a_copy_of_the_program_has_its_names() -> None:
    program = Outer()
    names = Names(program, {})
    copied = program.deepcopy()
    assert names.of(copied) == "Outer"
    assert names.of(copied.inner.many[1]) == "inner.many[1]"
    predictor = dspy.Predict("question -> answer")
    assert Names(predictor, {}).of(predictor.deepcopy()) == "self"


def test_two_of_the_same_signature_and_their_copies() -> None:
    class Twins(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = dspy.Predict(signature)
            self.other = dspy.Predict(signature)

    signature: Any = dspy.Predict("question -> answer").signature
    program = Twins()
    names = Names(program, {})
    assert names.of(program.other.deepcopy()) == "other"
    assert names.of(program.one.reset_copy()) == "one"
    assert names.of(dspy.Predict(signature)) == "Predict"


def test_a_copy_of_a_copy_that_got_another_signature() -> None:
    program = Outer()
    names = Names(program, {})
    copied: Any = program.cot.deepcopy()
    copied.predict.signature = copied.predict.signature.with_instructions("Be short.")
    assert names.of(copied.predict) == "cot.predict"
    assert names.of(copied.deepcopy().predict) == "cot.predict"


def test_a_copy_of_what_a_program_made_on_its_way() -> None:
    names = Names(Outer(), {})
    made = dspy.ChainOfThought("a -> b")
    assert names.of(made.predict) == "Predict"
    assert names.of(made) == "ChainOfThought"
    assert names.of(made.deepcopy().predict) == "Predict"


def test_a_copy_in_which_something_was_added() -> None:
    program = Outer()
    names = Names(program, {})
    copied: Any = program.cot.deepcopy()
    copied.more = dspy.Predict("x -> y")
    assert names.of(copied) == "ChainOfThought"
    assert names.of(copied.more) == "ChainOfThought.more"
    original: Any = program.cot
    original.more = dspy.Predict("x -> y")
    assert names.of(original.deepcopy()) == "ChainOfThought"


def test_a_copy_of_a_module_that_names_its_predictors_itself() -> None:
    program = Named()
    names = Names(program, {})
    [(_, predictor)] = program.deepcopy().named_predictors()
    assert names.of(predictor) == "mine"


def test_modules_that_hold_each_other() -> None:
    program: Any = Outer()
    program.inner.up = program
    names = Names(program, {})
    assert names.of(program) == "Outer"
    assert names.of(program.inner) == "inner"


def test_names_that_were_given_win() -> None:
    program = Outer()
    assert Names(program, {"mine": program.cot.predict}).of(program.cot.predict) == "mine"
