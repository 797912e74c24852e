"""A place to look from: keeps one witness (:mod:`enid.scenarios.witness`) in a site or an instance and asks it."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from enid.scenarios import witness

PYTHON = ("/usr/bin/python3", "-I", "-S", "-c")
"""The witness is handed over as source: its file is not to be seen from inside an instance."""
ANSWER_WITHIN = 60.0


class WitnessError(Exception):
    """The witness could not do what it was asked, or is gone."""


class Task:
    """Something a witness is doing."""

    def __init__(self, vantage: Vantage, number: int, future: Future[Any]) -> None:
        self._vantage, self._number, self._future = vantage, number, future

    def result(self, timeout: float = ANSWER_WITHIN) -> Any:
        """Wait for it to be done.

        :raises WitnessError: it failed, or the place has gone.
        """
        return self._future.result(timeout)

    def stop(self) -> Any:
        """End a task that goes on until it is stopped, and take its result."""
        self._vantage.send({"id": 0, "do": "stop", "task": self._number})
        return self.result()


class Vantage:
    """One witness at work. Close it, or use it as a context."""

    def __init__(self, name: str, enter: list[str], environment: Mapping[str, str]) -> None:
        """:param enter: a command that executes what follows it at the place, with our standard input and output."""
        self.name = name
        self._process = subprocess.Popen(
            [*enter, *PYTHON, Path(witness.__file__).read_text()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(environment),
        )
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def begin(self, task: str, **arguments: Any) -> Task:
        """Start one of the witness's tasks."""
        number, future = next(self._numbers), Future[Any]()
        with self._lock:
            self._waiting[number] = future
        self.send({"id": number, "do": task, **arguments})
        return Task(self, number, future)

    def ask(self, task: str, **arguments: Any) -> Any:
        """Have a task done."""
        return self.begin(task, **arguments).result()

    def send(self, message: dict[str, Any]) -> None:
        """One line to the witness; silence when it is gone, since whoever waits for an answer is told."""
        assert self._process.stdin is not None
        try:
            with self._lock:
                self._process.stdin.write(json.dumps(message) + "\n")
                self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                message = json.loads(line)
                future = self._waiting.pop(message["id"])
            except (ValueError, KeyError):
                continue  # noise of a machine that is being killed
            if "error" in message:
                future.set_exception(WitnessError(f"{self.name}: {message['error']}"))
            else:
                future.set_result(message["result"])
        assert self._process.stderr is not None
        reason = self._process.stderr.read().strip().splitlines()
        with self._lock:
            waiting, self._waiting = self._waiting, _Gone(self.name, reason[-1] if reason else "it ended")
        for future in waiting.values():
            future.set_exception(WitnessError(f"the witness at {self.name} is gone"))

    def close(self) -> None:
        """End the witness; it goes with its standard input."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Vantage:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()


class _Gone(dict[int, "Future[Any]"]):
    """Where nobody answers any more: whoever asks is told at once."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__()
        self._why = f"the witness at {name} is gone: {reason}"

    def __setitem__(self, number: int, future: Future[Any]) -> None:
        future.set_exception(WitnessError(self._why))
