"""What a report says about a study besides its scores: axes, states, hours, failures."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from tf_disentangle.studies.plan import Plan
from tf_disentangle.studies.state import state_of

#: Lines of a failed run's log that a report shows.
LOG_LINES = 40
# So much of the end of a log holds them.
_LOG_BYTES = 20_000


@dataclasses.dataclass(frozen=True)
class Failure:
    """A run that was given up.

    Attributes:
        run: Its id.
        settings: What it was, in words.
        attempts: How often it was tried.
        reason: Why the last attempt ended.
        log: The last lines of its log.
    """

    run: str
    settings: str
    attempts: int
    reason: str
    log: str


@dataclasses.dataclass(frozen=True)
class About:
    """What is known of a study without its results.

    Attributes:
        name: What it is called.
        folder: Where it is.
        axes: Values of each axis, as they are to be read.
        states: Number of runs by state: done, running, partial, waiting, failed.
        failures: The failed runs.
        hours: Of the machines, over all attempts.
        machines: Their names.
        versions: By package.
        files: Text of each gin file, by name.
    """

    name: str
    folder: str
    axes: Mapping[str, Sequence[str]]
    states: Mapping[str, int]
    failures: Sequence[Failure] = ()
    hours: float = 0.0
    machines: Sequence[str] = ()
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
