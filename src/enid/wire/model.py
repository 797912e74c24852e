"""The services enid speaks for, as botocore's model describes them; operations are compiled at first use.

The model is loaded once per process and only read; which operations exist *here* is the registry's to say.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from enid.wire.decode import compile_input
from enid.wire.encode import Encoder, Encoders, escape

EC2_VERSION = "2016-11-15"
STS_VERSION = "2011-06-15"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, ready to be spoken."""

    name: str
    decode: Callable[[Mapping[str, str]], dict[str, Any]]
    """Parameters as text → members; raises :class:`enid.ec2.errors.AwsError`."""
    encode: Callable[[dict[str, Any], str], str]
    """(result, request id) → the XML document."""
    takes_client_token: bool


class Service:
    """One service's operations."""

    def __init__(self, name: str, version: str, *, strict: bool = False) -> None:
        """:param strict: see :class:`enid.wire.encode.Encoders`."""
        self.name = name
        self.version = version
        self._model = _load(name)
        self.names = frozenset(self._model.operation_names)
        self._encoders = Encoders(strict=strict)
        self._compiled: dict[str, Operation] = {}
        self._compiling = threading.Lock()

    def knows(self, action: str) -> bool:
        """Whether AWS has an operation of this name."""
        return action in self.names

    def operation(self, action: str) -> Operation:
        """The compiled operation ``action``, which the service must know."""
        found = self._compiled.get(action)
        if found is None:
            with self._compiling:
                found = self._compiled[action] = self._compile(self._model.operation_model(action))
        return found

    def _compile(self, model: OperationModel) -> Operation:
        members = model.input_shape.members if model.input_shape is not None else {}
        return Operation(
            name=model.name,
            decode=compile_input(model.input_shape),
            encode=self._document(model),
            takes_client_token="ClientToken" in members,
        )

    def _document(self, model: OperationModel) -> Callable[[dict[str, Any], str], str]:
        namespace = self._model.metadata["xmlNamespace"].rstrip("/") + "/"
        start = f'<?xml version="1.0" encoding="UTF-8"?>\n<{model.name}Response xmlns="{namespace}">'
        end = f"</{model.name}Response>"
        inner = self._result(model)
        if self.name == "ec2":
            return lambda result, id_: f"{start}<requestId>{escape(id_)}</requestId>{inner(result)}{end}"
        tail = "</RequestId></ResponseMetadata>" + end
        return lambda result, id_: f"{start}{inner(result)}<ResponseMetadata><RequestId>{escape(id_)}{tail}"

    def _result(self, model: OperationModel) -> Encoder:
        shape = model.output_shape
        if shape is None:  # AWS answers these with a bare "true" that the model leaves out
            return lambda _: "<return>true</return>"
        encode = self._encoders.compile(shape)
        wrapper = shape.serialization.get("resultWrapper")
        return encode if wrapper is None else lambda result: f"<{wrapper}>{encode(result)}</{wrapper}>"


@cache
def _load(name: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)
