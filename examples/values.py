"""A structured answer while it is written: as plain data, as a model that fills up, and element by element."""

import asyncio
from typing import Annotated

import dspy
from pydantic import BaseModel

import fieldstream
from fieldstream import Done, NotNull, WithState


class Step(BaseModel):
    title: Annotated[str, NotNull]  # a step appears once it has a title
    minutes: int = 0


class Recipe(BaseModel):
    name: Annotated[str, WithState]  # its readers are told whether it is whole
    servings: int | None = None
    ingredients: Annotated[list[str], Done] = []  # all at once
    steps: list[Step] = []


class Cook(dspy.Signature):
    dish: str = dspy.InputField()
    recipe: Recipe = dspy.OutputField()
    tips: list[str] = dspy.OutputField()


cook = dspy.Predict(Cook)


async def main() -> None:
    async with fieldstream.stream(cook, dish="pancakes") as run:
        async for recipe in run.values("recipe", interval=0.2):  # at most five times a second
            print("so far:", recipe)
        async for recipe in run.values("recipe", typed=True):  # another reader, from the beginning
            print(f"{recipe.name.value!r} ({recipe.name.state}), {len(recipe.steps or [])} steps")
        async for tip in run.elements("tips"):
            print("tip:", tip)
    print(run.result.recipe.steps[0])


ANSWER = """[[ ## recipe ## ]]
{"name": "Pancakes", "servings": "4", "ingredients": ["flour", "milk", "eggs"],
 "steps": [{"title": "Stir", "minutes": 5}, {"title": "Fry", "minutes": 15}]}

[[ ## tips ## ]]
['Let the batter rest.', 'Use a hot pan.']

[[ ## completed ## ]]"""

if __name__ == "__main__":
    with fieldstream.simulate(lambda _: ANSWER, rate=40) as provider:
        dspy.configure(lm=dspy.LM("openai/sim", **provider.lm_kwargs, cache=False))
        asyncio.run(main())
