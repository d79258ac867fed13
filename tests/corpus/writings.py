"""Writings: what an LM might say to give the values of a signature's fields, in an adapter's format."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from xml.sax.saxutils import quoteattr

import dspy
from hypothesis import strategies as st

from tests.corpus import values
from tests.corpus.adapters import Format
from tests.corpus.trees import Members, Style, loose_styles, slipped, strict_styles, tree_of, written


@dataclass(frozen=True)
class Writing:
    """A text. ``clean``: by the format's rules, of valid values, with nothing around."""

    text: str
    clean: bool = False


_PROSE = st.sampled_from(
    (
        "Sure, here it is:\n\n",
        "Let me think.\n",
        "{thinking}\n",
        "I have [1] idea.\n",
        "\n\n",
        "<think>so</think>\n",
        "",
    )
)
_AFTER = st.sampled_from(("", "", "\n\nThat is all.", "\n```\nDone }", "\n", "\n[[ ## completed ## ]]"))


@st.composite
def writings(
    draw: st.DrawFn, kind: Format, adapter: dspy.Adapter, signature: Any, outputs: Mapping[str, Any]
) -> Writing:
    """As the adapter itself writes it, as a model may write it, with slips, or something else altogether."""
    how = draw(
        st.sampled_from(("adapter", "adapter", "faithful", "faithful", "loose", "slips", "slips", "damaged", "other"))
    )
    if how == "adapter":
        return Writing(adapter.format_assistant_message_content(signature, dict(outputs)), clean=True)
    if how == "other":
        return Writing(draw(values.strings))
    trees = {name: tree_of(value) for name, value in outputs.items()}
    if how == "faithful":
        return Writing(_whole(draw, kind, trees, draw(strict_styles), faithful=True), clean=True)
    if how == "slips":
        trees = dict(draw(slipped(Members(trees.items())).filter(lambda tree: isinstance(tree, Members))))
    style = draw(loose_styles) if how != "slips" or draw(st.booleans()) else draw(strict_styles)
    text = _whole(draw, kind, trees, style, faithful=False)
    if how == "damaged":
        text = _damaged(draw, text)
    return Writing(draw(_PROSE) + text + draw(_AFTER) if draw(st.booleans()) else text)


def _damaged(draw: st.DrawFn, text: str) -> str:
    slip = draw(st.sampled_from(("end", "end", "without", "doubled", "within")))
    if slip == "end":
        return text[: len(text) - draw(st.integers(0, min(len(text), 12)))]
    at = draw(st.integers(0, len(text)))
    if slip == "without":
        return text[:at] + text[at + 1 :]
    if slip == "doubled":
        return text[:at] + text[at : at + 1] + text[at:]
    return text[:at] + draw(values.strings) + text[at:]


def _whole(draw: st.DrawFn, kind: Format, trees: Mapping[str, Any], style: Style, *, faithful: bool) -> str:
    if kind == "json":
        text = written(Members(trees.items()), style)
        return f"```json\n{text}\n```" if draw(st.sampled_from((False, False, True))) else text
    if not faithful and draw(st.booleans()):
        trees = dict(draw(st.permutations(list(trees.items()))))
    if kind == "lines":
        return "\n".join(f"{name} = {written(tree, replace(style, indent=0))}" for name, tree in trees.items())
    if kind == "xml":
        nested = draw(st.booleans())
        return "\n".join(
            _element(draw, name, tree, style, nested=nested, faithful=faithful) for name, tree in trees.items()
        )
    return _sections(draw, trees, style, faithful=faithful)


def _sections(draw: st.DrawFn, trees: Mapping[str, Any], style: Style, *, faithful: bool) -> str:
    text = ""
    for name, tree in trees.items():
        bare = isinstance(tree, str) and (faithful or draw(st.sampled_from((True, True, False))))
        value = tree if bare else written(tree, style)
        if not faithful and draw(st.sampled_from((False, False, False, True))):
            value = f"```{draw(st.sampled_from(('', 'json', 'python')))}\n{value}\n```"
        same_line = not faithful and draw(st.sampled_from((False, False, False, True)))
        text += f"[[ ## {name} ## ]]{' ' if same_line else chr(10)}{value}\n\n"
    end = faithful or draw(st.sampled_from((True, True, False)))
    if not faithful and draw(st.sampled_from((False, False, False, True))):
        text = text.replace("\n", "\r\n")
    return text + "[[ ## completed ## ]]\n" if end else text


def _element(draw: st.DrawFn, tag: str, tree: Any, style: Style, *, nested: bool, faithful: bool) -> str:
    if not nested and not isinstance(tree, str):
        return f"<{tag}>\n{_escaped(written(tree, style), style)}\n</{tag}>"
    if faithful or draw(st.sampled_from((True, True, True, False))):
        return _nested(tag, tree, style)
    if isinstance(tree, str) and "]]>" not in tree:
        return f"<{tag}><![CDATA[{tree}]]></{tag}>"
    return f"<{tag} class='x'><!-- so -->{_escaped(written(tree, style), style)}</{tag}>"


def _nested(tag: str, tree: Any, style: Style, key: str | None = None, depth: int = 0) -> str:
    opened = f"<{tag}>" if key is None else f"<{tag} key={quoteattr(key)}>"
    line = "\n" + " " * style.indent * (depth + 1) if style.indent else ""
    if isinstance(tree, Members):
        children = [
            _nested(name, of, style, depth=depth + 1)
            if name.isidentifier()
            else _nested("entry", of, style, name, depth + 1)
            for name, of in tree
        ]
    elif isinstance(tree, list):
        children = [_nested("item", item, style, depth=depth + 1) for item in tree]
    else:
        text = "" if tree is None else tree if isinstance(tree, str) else json.dumps(tree)
        return f"{opened}{_escaped(text, style)}</{tag}>"
    return opened + "".join(line + child for child in children) + (line and line[: -style.indent]) + f"</{tag}>"


def _escaped(text: str, style: Style) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return text.replace(">", "&gt;").replace('"', "&#34;").replace("'", "&#x27;") if style.ascii else text
