import tracemalloc

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from tests import representations as known
from tf_disentangle.checks import ArgumentError, ArgumentTypeError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics import METRICS, EncodedFactors
from tf_disentangle.metrics.encoding import Encoding
from tf_disentangle.metrics.protocol import BETA_VAE_PROTOCOLS
from tf_disentangle.metrics.sources import GridSource
from tf_disentangle.metrics.supervised.beta_vae import draw_pairs, mean_differences

beta_vae_score = METRICS["beta_vae"].on_data
factor_vae_score = METRICS["factor_vae"].on_data
SIZES = (4, 4, 4, 4)
SMALL = {"num_train_votes": 400, "num_test_votes": 400}


def slow_score(dataset, encode, seed, model, *, batch, train, test):
    """The published loop, vote by vote, as the study's code runs it."""
    rng = np.random.RandomState(seed)
    sizes = dataset.factor_sizes

    def observe():
        return np.stack([rng.randint(size, size=batch) for size in sizes], axis=1)

    def votes(count):
        features, labels = [], []
        for _ in range(count):
            k = rng.randint(len(sizes))
            first, second = observe(), observe()
            second[:, k] = first[:, k]
            codes = [encode(dataset.render(f, rng)) for f in (first, second)]
            features.append(np.mean(np.abs(codes[0] - codes[1]), axis=0))
            labels.append(k)
        return np.array(features), np.array(labels)

    model.fit(*votes(train))
    return model.score(*votes(test))


def middling(sizes, num_latents=6):
    mixing = np.random.default_rng(1).normal(size=(len(sizes), num_latents))
    return lambda images: 0.3 * known.standardised(images, sizes) @ mixing


class TestVotes:
    def test_pairs_share_one_factor_and_no_more(self):
        dataset = known.GridDataset((3, 1, 50, 40))
        shared, draws = draw_pairs(
            GridSource(dataset, None),
            (200, 100),
            16,
            np.random.default_rng(0),
            np.array([0, 2, 3]),
        )
        pairs = np.stack([part.factors.reshape(300, 16, 4) for part in draws])
        rng = np.random.default_rng(0)
        rng.choice([0, 2, 3], size=300)
        free = dataset.sample_factors(2 * 300 * 16, rng).reshape(2, 300, 16, 4)
        np.testing.assert_array_equal(pairs[0], free[0])
        for vote in range(300):
            expected = free[1, vote].copy()
            expected[:, shared[vote]] = free[0, vote, :, shared[vote]]
            np.testing.assert_array_equal(pairs[1, vote], expected)
        counts = np.bincount(shared, minlength=4)
        assert counts[1] == 0
        assert np.all(np.abs(counts[[0, 2, 3]] - 100) < 4 * np.sqrt(300 * 2 / 9))

    def test_mean_differences_by_hand(self):
        codes = np.array([[0, 5], [1, 5], [4, 7]], np.float32)
        # Vote 0: rows (0, 1) against (2, 1); vote 1: (2, 2) against (0, 0).
        encoding = Encoding(codes, np.array([0, 1, 2, 2, 2, 1, 0, 0]))
        none = np.zeros(2, bool)
        assert mean_differences(encoding, 2, none).tolist() == [[2, 1], [4, 2]]
        second = np.array([False, True])
        assert mean_differences(encoding, 2, second).tolist() == [[2, 0.5], [4, 1]]

    def test_votes_are_counted_by_prediction_and_truth(self):
        result = beta_vae_score(
            known.GridDataset(SIZES), middling(SIZES), batch_size=4, **SMALL
        )
        assert result.test_votes.sum() == 400
        assert result.score == np.trace(result.test_votes) / 400
        assert 0.4 < result.score < 0.95
        # No column is empty: every factor was drawn.
        assert result.test_votes.sum(axis=0).min() > 60
        assert result.factor_names == ("factor0", "factor1", "factor2", "factor3")


class TestAgainstTheLoop:
    @pytest.mark.parametrize(
        ("protocol", "model"),
        [
            ("dlib", OneVsRestClassifier(LogisticRegression(solver="liblinear"))),
            ("dlib-sklearn1.9", LogisticRegression()),
        ],
    )
    def test_expectation(self, protocol, model):
        """Other draws, the same distribution: equal means within standard errors."""
        dataset = known.GridDataset(SIZES)
        encode = middling(SIZES)
        ours = [
            beta_vae_score(
                dataset, encode, seed=s, protocol=protocol, batch_size=4, **SMALL
            ).score
            for s in range(8)
        ]
        loop = [
            slow_score(dataset, encode, s, model, batch=4, train=400, test=400)
            for s in range(8)
        ]
        assert 0.4 < np.mean(ours) < 0.95
        error = np.sqrt((np.var(ours, ddof=1) + np.var(loop, ddof=1)) / 8)
        assert abs(np.mean(ours) - np.mean(loop)) < 4 * error

    def test_golden_representation(self):
        golden = known.golden()
        sizes = golden["factor_sizes"]
        result = beta_vae_score(
            known.GridDataset(sizes),
            known.mixed(sizes, np.array(golden["mixing"]), 0.3),
            encode_once=False,
            encode_batch_size=20_000,
        )
        # Three runs of the study's code: 1.0 on 5,000 votes, 0.9998 on the train votes.
        assert result.score >= 0.999
        assert result.train_score >= 0.999


class TestWhyTheFactorVAEScoreExists:
    def test_one_factor_without_a_latent(self):
        """What shares no latent is known by the others all differing."""
        sizes = (4,) * 5
        encoded = EncodedFactors(known.GridDataset(sizes), known.missing_factor(sizes))
        beta = beta_vae_score(encoded.data, encoded)
        factor = factor_vae_score(encoded.data, encoded)
        assert beta.score > 0.995
        assert factor.score < 0.85


class TestMemory:
    def test_a_set_as_large_as_dsprites(self):
        """1,920,000 draws of 737,280 images, ten latents: the largest draw of all."""
        golden = known.golden()
        sizes, mixing = golden["factor_sizes"], np.array(golden["mixing"])
        dataset = known.GridDataset(sizes)
        encoded = EncodedFactors(
            dataset, lambda images: known.standardised(images, sizes) @ mixing
        )
        tracemalloc.start()
        try:
            beta_vae_score(dataset, encoded, encode_batch_size=8_192)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert 650_000 < encoded.num_encoded < 737_280
        assert peak < 0.5e9  # of the 1 GB that a metric may hold; 154 MB when written


class TestProtocols:
    def test_published_numbers(self):
        for name in ("dlib", "dlib-sklearn1.9"):
            protocol = BETA_VAE_PROTOCOLS[name]
            assert protocol.batch_size == 64
            assert protocol.num_train_votes == 10_000
            assert protocol.num_test_votes == 5_000
            assert not protocol.scale_codes

    def test_an_override_shows_in_the_name(self):
        result = beta_vae_score(
            known.GridDataset((3, 4)),
            known.perfect((3, 4)),
            protocol="dlib",
            batch_size=10,
            scale_codes=True,
            **SMALL,
        )
        assert result.protocol == (
            "dlib, batch_size=10, num_train_votes=400, num_test_votes=400, "
            "scale_codes=True"
        )

    def test_only_scaled_codes_forget_their_scale(self):
        dataset = known.GridDataset(SIZES)
        encode = middling(SIZES)

        def score(scale, **options):
            return beta_vae_score(
                dataset,
                lambda images: scale * encode(images),
                batch_size=4,
                **options,
                **SMALL,
            ).score

        # A power of two leaves the mantissas as they are.
        scaled = [score(2.0**power, scale_codes=True) for power in (-6, 0)]
        assert scaled[0] == scaled[1]
        assert score(2.0**-6) < score(1.0) - 0.02

    def test_scaling_leaves_constant_latents_alone(self):
        result = beta_vae_score(
            known.GridDataset(SIZES),
            known.dead_latent(SIZES),
            scale_codes=True,
            **SMALL,
        )
        assert result.score == 1

    def test_seed_decides_all_draws(self):
        dataset = known.GridDataset((3, 4, 8), stochastic=True)
        results = [
            beta_vae_score(
                dataset, middling((3, 4, 8)), seed=seed, batch_size=3, **SMALL
            ).test_votes
            for seed in (0, 0, 1)
        ]
        np.testing.assert_array_equal(results[0], results[1])
        assert np.any(results[0] != results[2])


class TestFactorsToScore:
    def test_the_others_vary_and_are_not_scored(self):
        dataset = known.GridDataset(SIZES)
        result = beta_vae_score(
            dataset,
            # Latents show the first two factors only: enough for these two.
            lambda images: known.standardised(images, SIZES)[:, :2],
            factors=["factor1", "factor0"],
            **SMALL,
        )
        assert result.score == 1
        assert result.factor_names == ("factor0", "factor1")
        assert result.test_votes.shape == (2, 2)
        assert result.protocol.endswith(", factors=factor0+factor1")
        assert dataset.num_rendered == 256

    def test_one_factor_is_known_without_looking(self):
        result = beta_vae_score(
            known.GridDataset(SIZES), known.collapsed(2), factors="factor2", **SMALL
        )
        assert result.score == 1
        assert result.test_votes.tolist() == [[400]]


class TestDegenerate:
    def test_one_latent(self):
        result = beta_vae_score(
            known.GridDataset((4, 4)),
            lambda images: known.standardised(images, (4, 4))[:, :1],
            **SMALL,
        )
        assert result.score == 1  # Its factor is shared or it is not.

    def test_one_valued_factor_is_never_drawn(self):
        sizes = (4, 1, 4)
        result = beta_vae_score(known.GridDataset(sizes), known.perfect(sizes), **SMALL)
        assert result.test_votes[:, 1].sum() == 0
        assert result.score == 1

    def test_one_valued_factor_is_drawn_by_name(self):
        sizes = (4, 1, 4)
        result = beta_vae_score(
            known.GridDataset(sizes),
            known.perfect(sizes),
            protocol="dlib-verbatim",
            **SMALL,
        )
        assert result.test_votes[:, 1].sum() > 80

    def test_categories_differ_or_do_not(self):
        """Names of categories with far too many units between them."""
        dataset = known.GridDataset((4, 4))
        columns = [CodeColumn("c0", "categorical"), CodeColumn("c1", "categorical")]
        names = np.array([0, 10_000, 3, 70])
        plain, renamed = (
            beta_vae_score(dataset, encode, columns=columns, batch_size=3, **SMALL)
            for encode in (
                known.factors_of,
                lambda images: names[known.factors_of(images)],
            )
        )
        np.testing.assert_array_equal(plain.test_votes, renamed.test_votes)
        assert plain.score > 0.9
        assert plain.protocol.endswith(", categorical=differs")


class TestErrors:
    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"protocol": "dlob"}, "Did you mean dlib"),
            ({"batch_size": 0}, "batch_size must be at least 1"),
            ({"seed": -1}, "seed must be at least 0"),
            ({"factors": ["factr0"]}, "Did you mean factor0"),
            ({"factors": []}, "name at least one factor"),
            ({"factors": ["factor0"] * 2}, "each once"),
        ],
    )
    def test_arguments(self, options, match):
        with pytest.raises(ArgumentError, match=match):
            beta_vae_score(
                known.GridDataset((3, 4)), known.perfect((3, 4)), **options, **SMALL
            )

    def test_scale_codes_is_a_bool(self):
        with pytest.raises(ArgumentTypeError, match="scale_codes must be bool"):
            beta_vae_score(
                known.GridDataset((3, 4)), known.perfect((3, 4)), scale_codes=1.0
            )

    def test_only_one_valued_factors(self):
        with pytest.raises(ArgumentError, match=r"factor with two values.*\(1, 1\)"):
            beta_vae_score(known.GridDataset((1, 1)), known.collapsed(2))
