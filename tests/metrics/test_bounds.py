"""Floors and ceilings of scores."""

import json
import math

import numpy as np
import pytest

from tests import representations as known
from tf_disentangle import configs, metrics
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics import Bounds, FactorCodes, Noise, evaluate

SIZES = (4, 4, 4)
NAMES = ["mig", "dci", "explicitness", "unsupervised"]
OPTIONS = {"num_train": 400, "num_test": 200, "progress": False}


class Recorded(known.GridDataset, configs.Configured):
    """A data set whose record tells its sizes."""


def test_place():
    bounds = Bounds(noise=0.2, untrained=0.4, ceiling=0.9)
    assert bounds.floor == 0.4
    assert bounds.place(0.9) == 1
    assert bounds.place(0.65) == pytest.approx(0.5)
    assert Bounds(noise=5.0, ceiling=1.0).place(3.0) == 0.5, "lower may be better"
    assert math.isnan(Bounds(noise=0.0, ceiling=0.0).place(0.3))
    assert math.isnan(Bounds().floor)


def test_scores_stand_between_noise_and_factors():
    data, encode = known.GridDataset(SIZES), known.noisy(SIZES, 0.3)
    table = evaluate(data, encode, NAMES, bounds=True, **OPTIONS)
    for name in ("mig", "dci", "explicitness"):
        bounds = table[name].bounds
        assert bounds.noise < table[name].score < bounds.ceiling
        assert 0 < bounds.place(table[name].score) < 1
        assert math.isnan(bounds.untrained)
    assert table["explicitness"].bounds.noise == pytest.approx(0.5, abs=0.1)
    # The ceiling is the score of the factors, the noise that of codes without them.
    for encoder, kind in ((FactorCodes(SIZES), "ceiling"), (Noise(3), "noise")):
        alone = evaluate(data, encoder, NAMES, **OPTIONS)
        for name in NAMES:
            assert getattr(table[name].bounds, kind) == alone[name].score
    perfect = evaluate(data, known.perfect(SIZES), NAMES, **OPTIONS)
    for name in ("mig", "dci"):
        assert perfect[name].score == pytest.approx(table[name].bounds.ceiling)


def test_the_floor_of_networks_is_their_mean_score():
    data = known.GridDataset(SIZES)
    networks = [known.rotated((4, 4)), known.perfect((4, 4))]
    networks = [lambda x, f=f: f(x[:, :, :2]) for f in networks]
    options = {"num_train": 400, "progress": False}
    table = evaluate(
        data,
        known.perfect(SIZES),
        ["mig"],
        bounds=True,
        floor_encoders=networks,
        **options,
    )
    each = [evaluate(data, f, ["mig"], **options)["mig"].score for f in networks]
    assert table["mig"].bounds.untrained == np.mean(each)
    assert table["mig"].bounds.floor == np.mean(each)


def test_each_bound_is_announced_before_it_is_computed(tmp_path, capsys):
    data, encode = Recorded(SIZES), known.perfect(SIZES)
    options = {"bounds": True, "floor_encoders": [encode, encode], "cache": tmp_path}
    options.update(architecture="a", num_train=60)
    evaluate(data, encode, ["mig"], **options)
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("mig, ")]
    what = ["floor: untrained network 1 of 2", "floor: untrained network 2 of 2"]
    what += ["floor: noise", "ceiling: the factors"]
    assert lines == [f"mig, {text} ..." for text in what]
    # What is kept from before takes no time, and is not announced.
    evaluate(data, encode, ["mig"], **options)
    assert "mig, " not in capsys.readouterr().err
    evaluate(data, encode, ["mig"], progress=False, **{**options, "cache": None})
    assert "mig, " not in capsys.readouterr().err


def test_an_untrained_network_sees_each_image_once_for_all_metrics():
    seen = []

    def network(images):
        seen.append(len(images))
        return known.perfect((4, 4))(images[:, :, :2])

    data = known.GridDataset(SIZES)
    options = {"bounds": True, "floor_encoders": [network], **OPTIONS}
    evaluate(data, known.perfect(SIZES), ["mig", "sap", "irs"], **options)
    assert sum(seen) == 64, "the images of the grid"


def test_bounds_are_kept_by_data_architecture_and_protocol(tmp_path):
    calls = []

    def network(images):
        calls.append(len(images))
        return known.factors_of(images)

    def score(**changed):
        options = {"sizes": SIZES, "architecture": "a", "num_bins": 20, **changed}
        data = Recorded(options.pop("sizes"))
        table = evaluate(
            data,
            lambda images: np.zeros((len(images), 8)),
            ["mig"],
            bounds=True,
            floor_encoders=[network],
            cache=tmp_path,
            num_train=60,
            progress=False,
            **options,
        )
        return table["mig"].bounds

    first = score()
    files = list((tmp_path / "bounds").glob("*.json"))
    assert len(files) == 3 and calls
    assert {json.loads(f.read_text())["metric"] for f in files} == {"mig"}
    calls.clear()
    assert score() == first
    assert not calls
    for changed in ({"architecture": "b"}, {"sizes": (4, 4, 5)}, {"num_bins": 5}):
        score(**changed)
        assert calls, changed
        calls.clear()
    assert score(architecture="") is not None
    assert calls, "networks without a name are not kept"


def test_bounds_of_arrays():
    rng = np.random.default_rng(0)
    factors = rng.integers(SIZES, size=(600, 3))
    codes = factors + rng.normal(size=factors.shape)
    table = metrics.evaluate_arrays(
        codes, factors, ["mig", "dci"], bounds=True, progress=False
    )
    for entry in table.values():
        assert entry.bounds.noise < entry.score < entry.bounds.ceiling
    assert table["mig"].bounds.ceiling > 0.9


def test_a_count_has_no_place():
    data, encode = known.GridDataset(SIZES), known.perfect(SIZES)
    names = ["active_units", "mig"]
    table = evaluate(data, encode, names, bounds=True, num_train=400, progress=False)
    factors = data.sample_factors(100, np.random.default_rng(0))
    codes = factors.astype(np.float32)
    arrays = metrics.evaluate_arrays(codes, factors, names, bounds=True)
    for scores in (table, arrays):
        assert scores["active_units"].bounds is None
        assert scores["mig"].bounds is not None
        (line,) = [x for x in repr(scores).splitlines() if x.startswith("active_units")]
        assert line.split()[1:5] == ["3", "-", "-", "-"]


def test_bounds_of_arrays_do_not_depend_on_what_their_columns_hold():
    """Noise and factors are numbers, of which there are others than columns."""
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 4, (600, 3))
    codes = np.column_stack([factors[:, 0], rng.normal(size=(600, 3))])
    columns = [CodeColumn(f"z{d}", "continuous", None) for d in range(4)]
    one_hot = [CodeColumn("c0", "categorical", 4), *columns[1:]]
    each = [
        metrics.evaluate_arrays(
            codes, factors, ["mig"], columns=held, bounds=True, progress=False
        )["mig"].bounds
        for held in (None, columns, one_hot)
    ]
    ends = {(bounds.noise, bounds.ceiling) for bounds in each}
    assert len(ends) == 1
    assert each[0].noise < 0.1 < 0.9 < each[0].ceiling
