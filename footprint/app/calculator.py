"""The calculator: its inputs, its answer, and the callbacks between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update

from footprint.app import answers, parts, pictures, plans
from footprint.app.answers import Answered, Answers
from footprint.app.fields import FIELDS, HOWS, MAIN, MORE, Field
from footprint.app.pictures import Drawn
from footprint.app.plans import Pairs
from footprint.errors import FootprintError

SIDES = ("a", "b")
NAMES = {"a": "Plan", "b": "Second plan"}
_COPIES = {"cli": "Command line", "python": "Python", "yaml": "YAML"}
_SECOND = "b."
"""What the words of the second plan begin with in an address."""


def split(pairs: Sequence[Sequence[Any]]) -> tuple[Pairs, Pairs | None]:
    """The two plans of an address; None where there is no second one."""
    first = [p for p in pairs if not str(p[0]).startswith(_SECOND)]
    second = [(str(p[0]).removeprefix(_SECOND), p[1]) for p in pairs if str(p[0]).startswith(_SECOND)]
    return plans.pairs(first) or plans.DEFAULT, (plans.pairs(second) or plans.DEFAULT) if second else None


# the page


def page(pairs: Sequence[Sequence[Any]], answered: Answers, picture: str = "answer") -> list[Any]:
    """The whole page with its answer in it."""
    both = dict(zip(SIDES, split(pairs), strict=True))
    shown = {side: answered.of(plan) for side, plan in both.items() if plan is not None}
    kinds = pictures.known(pictures.SIDE_BY_SIDE if len(shown) > 1 else pictures.ANSWER)
    chosen = picture if picture in kinds else next(iter(kinds), "")
    second = (
        html.Button("Leave the second plan out", type="button", id="alone")
        if len(shown) > 1
        else html.Button("Put a second plan beside it", type="button", id="beside")
    )
    return [
        html.Div([html.H1("What will it cost to train?"), second], className="top"),
        html.Div(
            [
                *(_side(side, one, len(shown) > 1) for side, one in shown.items()),
                html.Section(
                    [
                        html.H2("Pictures"),
                        parts.choice("picture", "Which picture", kinds, chosen),
                        pictures.place("picture-graph"),
                    ],
                    className="pictures",
                    **{"aria-label": "Pictures"},
                ),
                *(_more(side, one) for side, one in shown.items()),
            ],
            className=f"sides of-{len(shown)}",
        ),
        dcc.Store(id="picture", data=chosen),
        *(dcc.Store(id=f"{side}-told", data=_first(side, shown.get(side))) for side in SIDES),
    ]


def _first(side: str, one: Answered | None) -> dict[str, Any] | None:
    """What a fresh page tells: nothing is to be written into the address."""
    return None if one is None else {**answers.told(side, one, plans.how_of(one.plan)), "fresh": True}


def _side(side: str, one: Answered, is_beside: bool) -> html.Div:
    """Inputs and answer; beside another plan the answer comes first."""
    how, given = plans.how_of(one.plan), dict(one.plan)
    inputs = [
        html.Fieldset([html.Legend(title), *(_input(side, field, given, how) for field in fields)])
        for title, fields in MAIN.items()
    ]
    inputs[0].children.insert(1, parts.choice(f"{side}-how", "Say what is trained by", HOWS, how))
    more = [
        html.Details([html.Summary(title), *(_input(side, field, given, how) for field in fields)],
                     open=any(field.word in given for field in fields))
        for title, fields in MORE.items()
    ]  # fmt: skip
    reported = parts.choice(
        f"{side}-reported", "Hours", {"": "Hours estimated", "yes": "Hours as its makers reported"},
        given.get(plans.REPORTED, ""),
    )  # fmt: skip
    more[0].children.insert(1, reported)
    form = html.Form([*inputs, *more], id=f"{side}-form", className="inputs", **{"aria-label": NAMES[side]})
    answer = html.Section(
        [
            html.P(id=f"{side}-problem", className="problem", role="alert"),
            html.Div(answers.panel(side, one.result) if one.result else [], id=f"{side}-answer", className="answer"),
            html.P(id=f"{side}-said", className="heard", role="status"),
            html.P(id=f"{side}-brief", className="brief", **{"aria-hidden": "true"}),
        ],
        **{"aria-label": f"{NAMES[side]}: the answer"},
    )
    stores = [
        dcc.Store(id=f"{side}-how", data=how),
        dcc.Store(id=f"{side}-reported", data=given.get(plans.REPORTED, "")),
    ]
    return html.Div([*((answer, form) if is_beside else (form, answer)), *stores], className="side")


def _more(side: str, one: Answered) -> html.Section:
    tables = answers.more(one.result) if one.result else []
    return html.Section(
        [html.Div(tables, id=f"{side}-more", className="answer"), _copies(side)],
        className="more",
        **{"aria-label": f"{NAMES[side]}: more of the answer"},
    )


def _input(side: str, field: Field, given: dict[str, str], how: str) -> html.Div:
    name = f"{side}-{field.word}"
    text: dict[str, Any] = {"id": name, "value": given.get(field.word, "")}
    if field.word == "config":
        box: Any = dcc.Textarea(**text, rows=4, spellCheck=False)
    else:
        offers = {"list": f"list-{field.names}"} if field.names else {}
        box = dcc.Input(**text, type="text", autoComplete="off", spellCheck=False, **offers)
    inner = [html.Label(field.label, htmlFor=name), box]
    if field.ladder:
        slide = f"{name}-slide"
        inner.append(html.Label(f"{field.label}, as a slider", htmlFor=slide, className="heard"))
        inner.append(dcc.Input(id=slide, type="range", min=0, max=len(field.ladder) - 1, step=1, value=0))
    inner.append(html.Small(id=f"{name}-told"))
    hidden = {"hidden": True} if field.how not in ("", how) else {}
    return html.Div(
        inner, className="field", **hidden,
        **{"data-how": field.how, "data-side": side, "data-word": field.word, "data-ladder": "|".join(field.ladder),
           "data-example": field.example},
    )  # fmt: skip


def _copies(side: str) -> html.Div:
    buttons = [
        html.Button(f"Copy as {label}", type="button", **{"data-copy": f"{side}-copy-{name}"})
        for name, label in _COPIES.items()
    ]
    texts = [html.Pre(id=f"{side}-copy-{name}", hidden=name != "cli", tabIndex=0) for name in _COPIES]
    return html.Div([html.Div(buttons, className="choice"), *texts], className="copies")


# callbacks


def answer_of(side: str, answered: Answers) -> Callable[..., tuple[Any, Any, dict[str, Any]]]:
    """The callback of one side: the values of all inputs, then how and reported."""

    def answer(*values: Any) -> tuple[Any, Any, dict[str, Any]]:
        *texts, how, reported = values
        given = zip((field.word for field in FIELDS), texts, strict=True)
        plan = plans.of_how(plans.pairs([*given, (plans.REPORTED, reported)]), str(how))
        one = answered.of(plan)
        if one.result is None:
            return no_update, no_update, answers.told(side, one, str(how))
        return answers.panel(side, one.result), answers.more(one.result), answers.told(side, one, str(how))

    return answer


def picture_of(answered: Answers, data: Any) -> Callable[..., Drawn]:
    """The callback of the picture."""

    def picture(first: Any, second: Any, kind: Any, screen: Any = None) -> Drawn:
        on = pictures.screen(screen)
        both = [answered.of(plans.pairs(told["pairs"])) for told in (first, second) if told]
        results = [one.result for one in both if one.result is not None]
        if not results or kind not in pictures.known(pictures.SIDE_BY_SIDE):
            return pictures.blank("No picture without an answer")
        try:
            if kind == "compare":
                return pictures.draw(kind, on, *results)
            if kind in pictures.OF_VALUE:
                return pictures.draw(kind, on, results[0])
            return pictures.draw(kind, on, **plans.words(both[0].plan), data=data)
        except FootprintError as error:
            return pictures.blank(str(error))

    return picture


def connect(app: Dash, answered: Answers, data: Any) -> None:
    """The callbacks of the page."""
    for side in SIDES:
        inputs = [Input(f"{side}-{field.word}", "value") for field in FIELDS]
        app.callback(
            Output(f"{side}-answer", "children"), Output(f"{side}-more", "children"), Output(f"{side}-told", "data"),
            *inputs, Input(f"{side}-how", "data"), Input(f"{side}-reported", "data"),
            prevent_initial_call=True,
        )(answer_of(side, answered))  # fmt: skip
    drawn = picture_of(answered, data)
    app.callback(
        *pictures.outputs("picture-graph"),
        Input("a-told", "data"), Input("b-told", "data"), Input("picture", "data"), Input("screen", "data"),
        State("picture-graph-kind", "data"),
    )(lambda *given: pictures.show("picture-graph", drawn(*given[:4]), given[4]))  # fmt: skip
