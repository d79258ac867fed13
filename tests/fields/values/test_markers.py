"""Marks, and how they are found."""

from typing import Annotated

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from fieldstream.fields.values.markers import Done, NotNull, WithState, marks_among


@pytest.mark.parametrize(("marker", "mark"), [(Done, "done"), (NotNull, "needed"), (WithState, "stateful")])
def test_a_class_and_its_object_mean_the_same(marker: type[Done], mark: str) -> None:
    assert marks_among([marker]) == marks_among(["other", marker(), 3]) == {mark}
    assert marker() == marker()
    assert hash(marker()) == hash(marker())
    assert repr(marker()) == marker.__name__
    for annotation in (Annotated[list[int], marker], Annotated[list[int], marker()]):
        assert TypeAdapter(annotation).validate_python(["1"]) == [1]
        assert TypeAdapter(annotation).json_schema() == TypeAdapter(list[int]).json_schema()


def test_marks_are_told_apart() -> None:
    assert Done() != NotNull()
    assert marks_among([Done, WithState()]) == {"done", "stateful"}
    assert marks_among([]) == marks_among(["done"]) == set()


def test_a_model_is_validated_as_ever() -> None:
    class Marked(BaseModel):
        name: Annotated[str, NotNull, Done]

    assert Marked(name="a").model_dump() == {"name": "a"}
    with pytest.raises(ValidationError):
        Marked.model_validate({"name": None})
