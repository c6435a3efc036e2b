"""What differs between runs, and which parts of them belong side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

# The settings in which runs differ that are one experiment repeated: the seed of the
# training, and that of the weights, which follows from it.
_SEED = "training.seed"
_SEEDS = (_SEED, "model.seed")
_MOST_OTHERS = 6


def differing_settings(
    settings: Sequence[Mapping[str, Any]],
) -> dict[str, list[Any]]:
    """Returns by name the settings that are not equal in all runs.

    Args:
        settings: For each run, flat name to value.

    Returns:
        Name to the value in each run, None where a run has no such setting.
    """
    names = dict.fromkeys(name for each in settings for name in each)
    found = {name: [each.get(name) for each in settings] for name in names}
    return {
        name: values
        for name, values in found.items()
        if any(value != values[0] for value in values[1:])
    }


def differing_layers(values: Sequence[Any]) -> list[Any]:
    """Returns networks without the layers that all of them share at both ends.

    Args:
        values: The networks as texts, a layer after the other; other values of a
            setting are returned as they are.
    """
    networks = [
        re.split(r", (?=[A-Z])", value) if isinstance(value, str) else [value]
        for value in values
    ]
    if min(map(len, networks)) < 2:
        return list(values)
    ahead = _num_common(networks)
    behind = _num_common([layers[ahead:][::-1] for layers in networks])
    dots, texts = "\N{HORIZONTAL ELLIPSIS}", []
    for layers in networks:
        own = ", ".join(layers[ahead : len(layers) - behind]) or "nothing"
        parts = [dots] * bool(ahead) + [own] + [dots] * bool(behind)
        texts.append(" ".join(parts))
    return texts


def _num_common(networks: Sequence[Sequence[str]]) -> int:
    """Returns how many layers are alike from the first on."""
    alike = [len({*layers}) == 1 for layers in zip(*networks, strict=False)]
    return [*alike, False].index(False)


def matched_latents(
    latents: Sequence[Sequence[Mapping[str, Any]]],
) -> list[tuple[str, list[int | None]]]:
    """Puts the latents of several runs side by side, those of one factor in one row.

    Of the latents that a run's score assigned to a factor, the one that won the most
    votes for it is in its row. The other latents follow in order of how much they move
    the image. Latents that do not move it are left out.

    Args:
        latents: Of each run, as `summarize` describes them.

    Returns:
        For each row the factor, "" for the rest, and each run's latent or None.
    """
    best: list[dict[str, int]] = []
    rest: list[list[int]] = []
    for own in latents:
        moving = [d for d, latent in enumerate(own) if latent["moves"] is not False]
        moving.sort(key=lambda d: -(own[d]["movement"] or 0.0))
        chosen: dict[str, int] = {}
        for d in moving:
            factor = own[d]["factor"]
            if factor and _votes(own[d]) > _votes_of(own, chosen.get(factor)):
                chosen[factor] = d
        best.append(chosen)
        rest.append([d for d in moving if d not in chosen.values()])
    factors = dict.fromkeys(factor for chosen in best for factor in chosen)
    rows: list[tuple[str, list[int | None]]] = [
        (factor, [chosen.get(factor) for chosen in best]) for factor in factors
    ]
    for place in range(min(_MOST_OTHERS, max(map(len, rest)))):
        each = [own[place] if place < len(own) else None for own in rest]
        rows.append(("", each))
    return rows


def repeated_runs(summaries: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Returns which runs are one experiment, repeated with other training seeds.

    They have the same settings except for the seed, the same number of steps, and
    different seeds: a run that is there twice is not a second observation.

    Args:
        summaries: Of each run, as `summarize` returns it.

    Returns:
        For each such experiment the places of its runs, two or more.
    """
    groups: dict[str, list[int]] = {}
    for place, about in enumerate(summaries):
        settings = {k: v for k, v in about["settings"].items() if k not in _SEEDS}
        same = repr((about["step"], sorted(settings.items())))
        groups.setdefault(same, []).append(place)

    def differ(places: Sequence[int]) -> bool:
        seeds = {summaries[place]["settings"].get(_SEED) for place in places}
        return len(seeds) == len(places) > 1

    return [places for places in groups.values() if differ(places)]


def _votes(latent: Mapping[str, Any]) -> int:
    return max(latent["votes"]) if latent["votes"] else 0


def _votes_of(latents: Sequence[Mapping[str, Any]], latent: int | None) -> int:
    return -1 if latent is None else _votes(latents[latent])
