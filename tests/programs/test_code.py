"""Programs that write code and run it: the code is a field, and running it is a call."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import ast
import contextlib
import io
from collections.abc import Callable
from typing import Any

import dspy
import pytest

from fieldstream.simulator import Answer, ChatRequest
from tests.programs.tree import tree
from tests.support.sameness import HAS_ENGINES, LITELLM_WARNS, WAYS, Streamed, Way, chat, same

pytestmark = [
    pytest.mark.filterwarnings("ignore:.* is deprecated and will be removed in 3.5:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Passing OpenAI-style message:DeprecationWarning"),
    *LITELLM_WARNS,
]

SYNC: tuple[Way, ...] = ("sync", "thread")


class InProcess:
    """Runs code in this process: an interpreter of a user's own, of which DSPy's callbacks know nothing."""

    def __init__(self) -> None:
        self.tools: dict[str, Callable[..., Any]] = {}
        self.names: dict[str, Any] = {}

    def start(self) -> None: ...

    def shutdown(self) -> None: ...

    def execute(self, code: str, variables: dict[str, Any] | None = None) -> Any:
        from dspy.primitives import code_interpreter

        error: Any = getattr(code_interpreter, "CodeExecutionError", code_interpreter.CodeInterpreterError)
        final: list[Any] = []

        def submit(*values: Any, **named: Any) -> None:
            final.append(named or values[0])

        self.names.update(variables or {}, SUBMIT=submit, **self.tools)
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                exec(compile(ast.parse(code), "<code>", "exec"), self.names)
        except Exception as failed:
            raise error(f"{type(failed).__name__}: {failed}") from failed
        return code_interpreter.FinalOutput(final[0]) if final else said.getvalue()


def interpreters() -> list[Any]:
    """A user's own; and, where DSPy has it, its own one that runs code in a process beside this one."""
    if not HAS_ENGINES:
        return [InProcess]
    from dspy.primitives.local_interpreter import LocalInterpreter

    return [InProcess, LocalInterpreter]


INTERPRETERS = pytest.mark.parametrize("interpreter", interpreters())


def within(program: Any, interpreter: Any, *arguments: Any, **members: Any) -> Callable[[], dspy.Module]:
    """The program, made with the interpreter."""
    return lambda: program(*arguments, interpreter_factory=interpreter, **members)


def run_calls(run: Streamed, interpreter: type) -> list[tuple[str, Any]]:
    """What was run, and what came of it."""
    return [
        ((call.arguments or {})["code"], run.ended(call.call).result)
        for call in run.calls("tool")
        if call.name == interpreter.__name__
    ]


def shown(run: Streamed, interpreter: type) -> list[str]:
    """The tree of calls, without those of the interpreter."""
    return [line for line in tree(run.events) if not line.endswith(f"tool {interpreter.__name__}")]


def python(code: str) -> str:
    return f"```python\n{code}\n```"


def double(x: int) -> int:
    """Twice as much."""
    return 2 * x


# ProgramOfThought


@INTERPRETERS
@pytest.mark.parametrize("way", SYNC)
def test_program_of_thought(way: Way, interpreter: Any) -> None:
    run = same(
        way,
        within(dspy.ProgramOfThought, interpreter, "question -> answer"),
        [
            chat(reasoning="I divide.", generated_code=python("1 / 0")),
            chat(reasoning="Not by zero.", generated_code=python("SUBMIT({'answer': 6 * 7})")),
            chat(reasoning="So it is.", answer="42"),
        ],
    )
    assert run.result.answer == "42"
    assert shown(run, interpreter) == [
        "module ProgramOfThought",
        "  module code_generate",
        "    predictor code_generate.predict",
        "      lm openai/sim",
        "  module code_regenerate",
        "    predictor code_regenerate.predict",
        "      lm openai/sim",
        "  module generate_output",
        "    predictor generate_output.predict",
        "      lm openai/sim",
    ]
    if interpreter is not InProcess:
        assert run_calls(run, interpreter)[1] == ("SUBMIT({'answer': 6 * 7})", {"output": {"answer": 42}})
        failed, _ = (call for call in run.calls("tool") if call.name == interpreter.__name__)
        assert run.ended(failed.call).error is not None


@pytest.mark.parametrize("program", [dspy.ProgramOfThought, lambda *given, **named: dspy.CodeAct(*given, [], **named)])
def test_neither_has_an_asynchronous_way(program: Any) -> None:
    run = same("async", within(program, InProcess, "question -> answer"), [])
    assert run.error is not None


# CodeAct


@INTERPRETERS
@pytest.mark.parametrize("way", SYNC)
def test_code_act(way: Way, interpreter: Any) -> None:
    run = same(
        way,
        within(dspy.CodeAct, interpreter, "question -> answer", tools=[double]),
        [
            chat(generated_code=python("print(double(21))"), finished="False"),
            chat(generated_code=python("print(double(1))"), finished="True"),
            chat(reasoning="I doubled.", answer="42"),
        ],
    )
    assert shown(run, interpreter) == [
        "module CodeAct",
        "  predictor codeact",
        "    lm openai/sim",
        "  predictor codeact",
        "    lm openai/sim",
        "  module extractor",
        "    predictor extractor.predict",
        "      lm openai/sim",
    ]
    assert [run.ended(call.call).fields for call in run.calls("predictor")][1] == {
        "generated_code": python("print(double(1))"),
        "finished": True,
    }
    if interpreter is not InProcess:
        assert [result for _, result in run_calls(run, interpreter)][1:] == ["42", "2"]


# RLM


@INTERPRETERS
@pytest.mark.parametrize("way", WAYS)
def test_rlm(way: Way, interpreter: Any) -> None:
    run = same(
        way,
        within(dspy.RLM, interpreter, "question -> answer", tools=[double]),
        [
            chat(reasoning="I double.", code=python("print(double(x=4))")),
            chat(reasoning="I ask.", code=python("print(llm_query('Which colour?'))")),
            "blue, of course",
            chat(reasoning="I know.", code=python("SUBMIT(answer='blue')")),
        ],
    )
    assert run.result.answer == "blue"
    assert [call.name for call in run.calls("predictor")] == ["generate_action"] * 3
    assert len(run.calls("lm")) == 4
    if HAS_ENGINES:
        assert [(call.name, call.arguments) for call in run.calls("tool") if call.name == "double"] == [
            ("double", {"x": 4})
        ]
    if interpreter is not InProcess:
        assert run_calls(run, interpreter)[-1] == ("SUBMIT(answer='blue')", {"answer": "blue"})
        asked = [call for call in run.calls("lm") if call.parent not in {each.call for each in run.calls("predictor")}]
        assert [call.parent for call in asked] == [run.calls("tool")[-2].call]


@pytest.mark.parametrize("way", WAYS)
def test_rlm_asks_at_once_and_extracts_in_the_end(way: Way) -> None:
    def answer(request: ChatRequest) -> Answer | str:
        if len(request.messages) == 1:
            return f"about {request.text('user')}"
        if "extract the final outputs" in str(request.messages):
            return chat(answer="blue")
        return chat(reasoning="I ask.", code=python("print(llm_query_batched(['one', 'two', 'three']))"))

    run = same(
        way,
        within(dspy.RLM, interpreters()[-1], "question -> answer", max_iters=1),
        answer,
        ordered=False,
    )
    assert [call.name for call in run.calls("predictor")] == ["generate_action", "extract"]
    assert len(run.calls("lm")) == 5
    assert "".join(run.texts("answer")) == "blue"


@pytest.mark.parametrize("way", WAYS)
def test_programs_that_the_code_makes(way: Way) -> None:
    """They have no path in the program, also where they have the fields of one of its predictors."""
    if not HAS_ENGINES:
        return  # DSPy 3.4 brought them.
    code = "import dspy\nprint(dspy.ChainOfThought('question -> answer')(question='Why?').answer)"
    run = same(
        way,
        within(dspy.RLM, interpreters()[-1], "question -> answer"),
        [
            chat(reasoning="I delegate.", code=python(code)),
            chat(reasoning="Rayleigh.", answer="blue"),
            chat(reasoning="I know.", code=python("SUBMIT(answer='blue')")),
        ],
    )
    assert [line.strip() for line in shown(run, interpreters()[-1])] == [
        "module RLM",
        "predictor generate_action",
        "lm openai/sim",
        "module ChainOfThought",
        "predictor ChainOfThought.predict",
        "lm openai/sim",
        "predictor generate_action",
        "lm openai/sim",
    ]


# Flex: where its code runs, another module stands in the place of `dspy`, so it needs a process beside this one.

SOURCE = """
class Asking(dspy.Module):
    def __init__(self):
        super().__init__()
        self.guess = dspy.Predict("question -> guess")
        self.check = dspy.ChainOfThought("question, guess -> answer")

    def forward(self, question):
        guess = self.guess(question=question).guess
        return dspy.Prediction(answer=self.check(question=question, guess=guess).answer)
"""


@pytest.mark.dspy(">=3.4")
@pytest.mark.filterwarnings("ignore:.*experimental")
@pytest.mark.parametrize("way", SYNC)
def test_flex(way: Way) -> None:
    """As it is before anybody has made anything of it: a predictor, asked for by code."""
    interpreter = interpreters()[-1]
    run = same(way, within(dspy.Flex, interpreter, "question -> answer"), [chat(answer="blue")])
    assert run.result.answer == "blue"
    assert [line.strip() for line in shown(run, interpreter)] == ["module Flex", "predictor Predict", "lm openai/sim"]
    assert "".join(run.texts("answer")) == "blue"
    assert run.calls("predictor")[0].whole is None


@pytest.mark.dspy(">=3.4")
@pytest.mark.filterwarnings("ignore:.*experimental")
@pytest.mark.parametrize("way", SYNC)
def test_flex_with_code_of_its_own(way: Way) -> None:
    interpreter = interpreters()[-1]

    def made() -> dspy.Module:
        flex = dspy.Flex("question -> answer", interpreter_factory=interpreter)
        flex.load_state({"module_src": SOURCE})
        return flex

    run = same(way, made, [chat(guess="green"), chat(reasoning="I look.", answer="blue")])
    assert run.result.answer == "blue"
    assert [line.strip() for line in shown(run, interpreter)] == [
        "module Flex",
        "predictor Predict",
        "lm openai/sim",
        "module ChainOfThought",
        "predictor ChainOfThought.predict",
        "lm openai/sim",
    ]


@pytest.mark.filterwarnings("ignore:.*experimental")
def test_flex_has_no_asynchronous_way() -> None:
    run = same("async", within(dspy.Flex, InProcess, "question -> answer"), [])
    assert run.error is not None
