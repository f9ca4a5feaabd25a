"""The models of bodies: what comes is refused when it is unknown or converted, what is told has no field by accident."""

from __future__ import annotations

import inspect

import pytest
from pydantic import BaseModel, ValidationError

from mmsproxy.web import shapes
from mmsproxy.web.asking import Asked

MODELS = [
    item for _, item in inspect.getmembers(shapes, inspect.isclass) if issubclass(item, BaseModel) and item.__module__ == shapes.__name__
]


def test_each_model_is_for_one_direction() -> None:
    for model in MODELS:
        assert issubclass(model, Asked) is model.__name__.endswith("In"), model


@pytest.mark.parametrize("model", [item for item in MODELS if issubclass(item, Asked)])
def test_what_is_unknown_is_refused(model: type[BaseModel]) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        model.model_validate({"surprise": 1})


@pytest.mark.parametrize("value", ["true", 1, None])
def test_nothing_is_converted(value: object) -> None:
    with pytest.raises(ValidationError):
        shapes.RetryIn.model_validate({"accept_duplicate_risk": value})
