from types import MappingProxyType

import numpy as np
import pytest

from tests import representations as known
from tf_disentangle.checks import ArgumentError
from tf_disentangle.metrics import METRICS, encoding
from tf_disentangle.metrics.encoding import EncodedFactors, encode_factors
from tf_disentangle.metrics.protocol import FACTOR_VAE_PROTOCOLS, named_protocol
from tf_disentangle.metrics.sources import sample_factors
from tf_disentangle.metrics.tables import scored_factors

beta_vae_score = METRICS["beta_vae"].on_data
factor_vae_score = METRICS["factor_vae"].on_data
SIZES = (3, 4, 5)


def draws(dataset, n=1_000):
    return dataset.sample_factors(n, np.random.default_rng(0))


class TestEncodeFactors:
    @pytest.mark.parametrize("batch_size", [1, 7, 60, 256])
    def test_equals_encoding_every_draw(self, batch_size):
        dataset = known.GridDataset(SIZES)
        factors = draws(dataset)
        encode = known.rotated((4, 4, 4, 4)[:2])

        def first_two(images):
            return encode(images[:, :, :2])

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
        # The last bits of a matrix product may depend on the batch.
        np.testing.assert_allclose(encoding[:], expected, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(
            encoding[np.array([[3, 1], [0, 9]])], encoding[:][[[3, 1], [0, 9]]]
        )

    @pytest.mark.parametrize(
        ("stochastic", "encode_once", "expected"),
        [(False, None, 60), (False, False, 1_000), (True, None, 1_000)],
    )
    def test_what_is_rendered(self, stochastic, encode_once, expected):
        dataset = known.GridDataset(SIZES, stochastic=stochastic)
        seen = []

        def encode(images):
            seen.append(images)
            return known.factors_of(images)

        factors = draws(dataset)
        encoding = encode_factors(
            dataset,
            encode,
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


class TestEncodedFactors:
    VOTES = MappingProxyType(
        {"num_train_votes": 300, "num_test_votes": 200, "batch_size": 5}
    )

    def encode(self, encoded, factors, **options):
        rng = np.random.default_rng(0)
        return encode_factors(encoded.data, encoded, factors, rng=rng, **options)

    def test_each_image_is_encoded_once_for_all_metrics(self):
        dataset = known.GridDataset(SIZES)
        encoded = EncodedFactors(dataset, known.perfect(SIZES))
        factor_vae_score(dataset, encoded, num_variance_samples=50, **self.VOTES)
        seen = dataset.num_rendered
        beta_vae_score(dataset, encoded, **self.VOTES)
        beta_vae_score(dataset, encoded, seed=1, **self.VOTES)
        assert seen <= dataset.num_rendered == encoded.num_encoded == 60

    @pytest.mark.parametrize("seed", [0, 1])
    def test_scores_are_those_of_the_encoder(self, seed):
        encode = known.rotated((4, 4, 4, 4))
        for metric in (factor_vae_score, beta_vae_score):
            results = []
            dataset = known.GridDataset((4, 4, 4, 4))
            encoded = EncodedFactors(dataset, encode)
            # Codes that are there already, in another order, change nothing.
            self.encode(encoded, dataset.sample_factors(90, np.random.default_rng(7)))
            for model, once in ((encoded, None), (encode, None), (encode, False)):
                result = metric(
                    dataset, model, seed=seed, encode_once=once, **self.VOTES
                )
                results.append(result.test_votes)
            np.testing.assert_array_equal(results[0], results[1])
            np.testing.assert_array_equal(results[0], results[2])

    def test_only_what_is_missing_is_encoded(self):
        dataset = known.GridDataset(SIZES)
        encoded = EncodedFactors(dataset, known.factors_of)
        first = np.array([[2, 3, 4], [0, 0, 0], [2, 3, 4]])
        np.testing.assert_array_equal(self.encode(encoded, first)[:], first)
        assert dataset.num_rendered == 2
        second = np.array([[0, 0, 0], [1, 2, 3], [2, 3, 4], [0, 0, 1]])
        np.testing.assert_array_equal(self.encode(encoded, second)[:], second)
        assert dataset.num_rendered == encoded.num_encoded == 4
        np.testing.assert_array_equal(self.encode(encoded, first)[:], first)
        assert dataset.num_rendered == 4

    @pytest.mark.parametrize("room", [0, 4 * 60, 4 * (60 + 3 * 59)])
    def test_nothing_is_kept_beyond_the_limit(self, room):
        dataset = known.GridDataset(SIZES)
        encoded = EncodedFactors(dataset, known.factors_of, max_bytes=room)
        factors = draws(dataset)  # all 60 images
        for _ in range(2):
            np.testing.assert_array_equal(self.encode(encoded, factors)[:], factors)
        assert dataset.num_rendered == 120
        assert encoded.num_encoded == 0

    def test_what_fits_is_kept(self):
        dataset = known.GridDataset(SIZES)
        room = 4 * (60 + 3 * 60)
        encoded = EncodedFactors(dataset, known.factors_of, max_bytes=room)
        for _ in range(2):
            self.encode(encoded, draws(dataset))
        assert dataset.num_rendered == encoded.num_encoded == 60

    def test_what_no_longer_fits_is_encoded_anew(self):
        dataset = known.GridDataset(SIZES)
        encoded = EncodedFactors(dataset, known.factors_of, max_bytes=4 * (60 + 6))
        some = np.array([[0, 0, 0], [2, 3, 4]])
        self.encode(encoded, some)
        factors = draws(dataset)
        np.testing.assert_array_equal(self.encode(encoded, factors)[:], factors)
        np.testing.assert_array_equal(self.encode(encoded, some)[:], some)
        assert encoded.num_encoded == 2
        assert dataset.num_rendered == 62

    def test_grid_too_large_to_index(self):
        dataset = known.GridDataset((250,) * 12)
        encoded = EncodedFactors(dataset, known.factors_of)
        factors = draws(dataset, 20)[np.arange(50) % 20]
        np.testing.assert_array_equal(self.encode(encoded, factors)[:], factors)
        assert (dataset.num_rendered, encoded.num_encoded) == (20, 0)

    @pytest.mark.parametrize(
        ("stochastic", "encode_once"), [(True, None), (False, False), (True, True)]
    )
    def test_random_codes_are_not_kept(self, stochastic, encode_once):
        dataset = known.GridDataset(SIZES, stochastic=stochastic)
        encoded = EncodedFactors(dataset, known.factors_of)
        factors = draws(dataset)
        encoding = self.encode(encoded, factors, encode_once=encode_once)
        np.testing.assert_array_equal(encoding[:], factors)
        assert encoded.num_encoded == 0

    def test_is_an_encoder_itself(self):
        dataset = known.GridDataset(SIZES)
        encoded = EncodedFactors(dataset, known.factors_of)
        factors = draws(dataset, 5)
        np.testing.assert_array_equal(encoded(dataset.render(factors)), factors)

    def test_errors(self):
        dataset = known.GridDataset(SIZES)
        encoded = EncodedFactors(dataset, known.factors_of)
        with pytest.raises(ArgumentError, match="not another EncodedFactors"):
            EncodedFactors(dataset, encoded)
        with pytest.raises(ArgumentError, match="the set that the EncodedFactors"):
            beta_vae_score(known.GridDataset(SIZES), encoded)
        with pytest.raises(ArgumentError, match="max_bytes must be at least 0"):
            EncodedFactors(dataset, known.factors_of, max_bytes=-1)

    def test_width_may_not_change(self):
        dataset = known.GridDataset(SIZES)
        widths = iter([3, 2])
        encoded = EncodedFactors(
            dataset, lambda images: np.zeros((len(images), next(widths)))
        )
        self.encode(encoded, np.zeros((1, 3), np.int64))
        with pytest.raises(ArgumentError, match="return 3 latents as in its first"):
            self.encode(encoded, np.ones((1, 3), np.int64))


class TestScoredFactors:
    DATASET = known.GridDataset(SIZES)

    def test_positions_and_note(self):
        chosen, note = scored_factors(self.DATASET.factor_names, ["factor2", "factor0"])
        assert chosen.tolist() == [0, 2]
        assert note == ", factors=factor0+factor2"
        note = scored_factors(self.DATASET.factor_names, "factor1")[1]
        assert note == ", factors=factor1"

    @pytest.mark.parametrize("factors", [None, ("factor1", "factor0", "factor2")])
    def test_all_need_no_note(self, factors):
        chosen, note = scored_factors(self.DATASET.factor_names, factors)
        assert chosen.tolist() == [0, 1, 2]
        assert note == ""


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


def test_the_estimate_leaves_out_the_first_batch(monkeypatch, capsys):
    """That may compile the encoder: here it takes 100 s, and each other batch 2 s."""
    clock, data = [0.0], known.GridDataset(SIZES)
    monkeypatch.setattr(encoding.time, "perf_counter", lambda: clock[0])

    def encode(images):
        clock[0] += 2.0 if clock[0] else 100.0
        return np.zeros((len(images), 2))

    rng = np.random.default_rng(0)
    encode_factors(data, encode, draws(data), rng=rng, batch_size=10)
    assert clock[0] == 110.0
    assert "encoding 60 images, about 12 s\n" in capsys.readouterr().err
