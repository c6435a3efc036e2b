import numpy as np
import pytest

from tests import representations as known
from tf_disentangle.checks import ArgumentError
from tf_disentangle.metrics.protocol import FACTOR_VAE_PROTOCOLS, named_protocol
from tf_disentangle.metrics.sampling import (
    distinct_rows,
    encode_factors,
    sample_factors,
)

SIZES = (3, 4, 5)


def draws(dataset, n=1_000):
    return dataset.sample_factors(n, np.random.default_rng(0))


class TestEncodeFactors:
    @pytest.mark.parametrize("batch_size", [1, 7, 60, 256])
    def test_equals_encoding_every_draw(self, batch_size):
        dataset = known.GridDataset(SIZES)
        factors = draws(dataset)
        represent = known.rotated((4, 4, 4, 4)[:2])

        def first_two(images):
            return represent(images[:, :, :2])

        encoding = encode_factors(
            dataset,
            first_two,
            factors,
            rng=np.random.default_rng(0),
            batch_size=batch_size,
        )
        assert dataset.num_rendered == 60
        assert encoding.codes.dtype == np.float32
        expected = first_two(dataset.render(factors)).astype(np.float32)
        np.testing.assert_array_equal(encoding[:], expected)
        np.testing.assert_array_equal(
            encoding[np.array([[3, 1], [0, 9]])], expected[[[3, 1], [0, 9]]]
        )

    @pytest.mark.parametrize(
        ("stochastic", "encode_once", "expected"),
        [(False, None, 60), (False, False, 1_000), (True, None, 1_000)],
    )
    def test_what_is_rendered(self, stochastic, encode_once, expected):
        dataset = known.GridDataset(SIZES, stochastic=stochastic)
        seen = []

        def represent(images):
            seen.append(images)
            return known.factors_of(images)

        factors = draws(dataset)
        encoding = encode_factors(
            dataset,
            represent,
            factors,
            rng=np.random.default_rng(0),
            encode_once=encode_once,
        )
        assert dataset.num_rendered == expected
        np.testing.assert_array_equal(encoding[:], factors)
        # Noise is drawn for every image anew.
        noise = np.concatenate(seen)[:, 1]
        assert len(np.unique(noise, axis=0)) == (1_000 if stochastic else 1)

    def test_number_of_latents_may_not_change(self):
        widths = iter([3, 2])
        with pytest.raises(ArgumentError, match="return 3 latents as in its first"):
            encode_factors(
                known.GridDataset(SIZES),
                lambda images: np.zeros((len(images), next(widths))),
                draws(known.GridDataset(SIZES)),
                rng=np.random.default_rng(0),
                batch_size=30,
            )

    @pytest.mark.parametrize("progress", [True, False, None])
    def test_progress(self, capsys, progress):
        encode_factors(
            known.GridDataset(SIZES),
            known.perfect(SIZES),
            draws(known.GridDataset(SIZES)),
            rng=np.random.default_rng(0),
            progress=progress,
        )
        captured = capsys.readouterr()
        assert captured.out == ""
        assert ("60/60" in captured.err) == (progress is True)


class TestDistinctRows:
    # The last grid has more points than int64 has numbers.
    @pytest.mark.parametrize("sizes", [(9,), SIZES, (250,) * 12])
    def test_rows_come_back(self, sizes):
        factors = np.random.default_rng(0).integers(
            np.minimum(sizes, 3), size=(500, len(sizes))
        )
        first, row = distinct_rows(factors, sizes)
        np.testing.assert_array_equal(factors[first][row], factors)
        assert len(first) == len({tuple(f) for f in factors.tolist()})


class TestSampleFactors:
    def test_out_of_range(self):
        dataset = known.GridDataset(SIZES)
        dataset.sample_factors = lambda n, rng: np.full((n, 3), 3)
        with pytest.raises(ArgumentError, match=r"maxima \[3, 3, 3\]"):
            sample_factors(dataset, 4, np.random.default_rng(0))

    def test_wrong_shape(self):
        dataset = known.GridDataset(SIZES)
        dataset.sample_factors = lambda n, rng: np.zeros((3, n))
        with pytest.raises(ArgumentError, match=r"have shape \(4, 3\)"):
            sample_factors(dataset, 4, np.random.default_rng(0))

    def test_result_is_the_callers_own(self):
        dataset, kept = known.GridDataset(SIZES), np.zeros((4, 3), np.int64)
        kept.setflags(write=False)
        dataset.sample_factors = lambda n, rng: kept
        sample_factors(dataset, 4, np.random.default_rng(0))[0] = 1
        assert not kept.any()


class TestNamedProtocol:
    def test_none_keeps_the_protocol(self):
        dlib = FACTOR_VAE_PROTOCOLS["dlib"]
        same = named_protocol(
            FACTOR_VAE_PROTOCOLS, "dlib", batch_size=None, prune_threshold=0.05
        )
        assert same == dlib

    def test_zero_overrides(self):
        changed = named_protocol(FACTOR_VAE_PROTOCOLS, "dlib", prune_threshold=0.0)
        assert changed.prune_threshold == 0.0
        assert changed.name == "dlib, prune_threshold=0.0"
