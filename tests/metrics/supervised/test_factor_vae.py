import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from tests import representations as known
from tf_disentangle.checks import ArgumentError, ArgumentTypeError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics import METRICS
from tf_disentangle.metrics.encoding import Encoding
from tf_disentangle.metrics.protocol import FACTOR_VAE_PROTOCOLS
from tf_disentangle.metrics.sources import GridSource
from tf_disentangle.metrics.supervised.factor_vae import (
    FactorVAEScore,
    _one_hot_encoding,
    _variance,
    draw_votes,
    lowest_variance_latent,
    normal_of_student_t,
    vote_accuracy,
)

factor_vae_score = METRICS["factor_vae"].on_data
SMALL = {"num_variance_samples": 1_000, "num_train_votes": 400, "num_test_votes": 400}


def slow_score(dataset, encode, seed, *, batch, variance, train, test, threshold):
    """The published loop, vote by vote, as the study's code runs it."""
    rng = np.random.RandomState(seed)
    sizes = dataset.factor_sizes

    def observe(n):
        return np.stack([rng.randint(size, size=n) for size in sizes], axis=1)

    overall = np.var(encode(dataset.render(observe(variance), rng)), axis=0, ddof=1)
    active = np.flatnonzero(np.sqrt(overall) >= threshold)
    if not active.size:
        return 0.0, 0.0

    def votes(count):
        matrix = np.zeros((len(active), len(sizes)), int)
        for _ in range(count):
            k = rng.randint(len(sizes))
            factors = observe(batch)
            factors[:, k] = factors[0, k]
            codes = encode(dataset.render(factors, rng))
            local = np.var(codes, axis=0, ddof=1)
            matrix[np.argmin(local[active] / overall[active]), k] += 1
        return matrix

    first, second = votes(train), votes(test)
    classifier = [int(np.argmax(row)) for row in first]
    return tuple(
        sum(m[d, classifier[d]] for d in range(len(m))) / m.sum()
        for m in (second, first)
    )


def middling(sizes, num_latents=6):
    mixing = np.random.default_rng(1).normal(size=(len(sizes), num_latents))
    mixing += 0.9 * np.eye(len(sizes), num_latents)
    return lambda images: known.standardised(images, sizes) @ mixing


class TestVotes:
    """Cases small enough to do by hand."""

    def test_lowest_variance_latent(self):
        # Batch 0: relative variances 2/4 and 0.5/0.5; batch 1: 2/4 and 0/0.5. Latent 2
        # is still in both and pruned.
        codes = np.array([[0, 0, 7], [2, 1, 7], [0, 3, 7], [2, 3, 7]], dtype=np.float32)
        winner = lowest_variance_latent(
            Encoding(codes, np.arange(4)),
            np.array([[0, 1], [2, 3]]),
            np.array([4.0, 0.5, 0.0]),
            np.array([True, True, False]),
        )
        assert winner.tolist() == [0, 1]

    def test_accuracy(self):
        train = np.array([[5, 1], [2, 2], [0, 0]])
        test = np.array([[3, 1], [4, 2], [1, 7]])
        # Classifier 0, 0 (tie), 0 (no votes): right in 3 + 4 + 1 of 18.
        assert vote_accuracy(train, test) == 8 / 18
        assert vote_accuracy(train, train) == 7 / 10
        assert vote_accuracy(train, np.zeros_like(test)) == 0.0

    def test_a_score_for_each_factor(self):
        """Classifier 0, 1, 0 (no votes): of 9 votes for factor 0 right 3 + 1."""
        result = FactorVAEScore(
            score=6 / 14,
            train_score=1.0,
            votes=np.array([[5, 1, 0], [2, 3, 0], [0, 0, 0]]),
            test_votes=np.array([[3, 1, 0], [5, 2, 0], [1, 2, 0]]),
            assignments=np.array([0, 1, -1]),
            active=np.array([True, True, True]),
            num_active=3,
            factor_names=("x", "y", "size"),
            protocol="made up",
        )
        np.testing.assert_allclose(result.factor_scores, [4 / 9, 2 / 5, np.nan])
        last = result.table().splitlines()[-1].split()
        assert last[:4] == ["score", "0.44", "0.40", "nan"]

    def test_draws_fix_one_factor_to_the_first_draw(self):
        dataset = known.GridDataset((3, 1, 5, 40))
        fixed, draws = draw_votes(
            GridSource(dataset, None),
            (200, 100),
            16,
            np.random.default_rng(0),
            np.array([0, 2, 3]),
        )
        batches = draws.factors.reshape(300, 16, 4)
        free = dataset.sample_factors  # The same stream, without the fixing.
        rng = np.random.default_rng(0)
        rng.choice([0, 2, 3], size=300)
        drawn = free(300 * 16, rng).reshape(300, 16, 4)
        for vote in range(300):
            expected = drawn[vote].copy()
            expected[:, fixed[vote]] = expected[0, fixed[vote]]
            np.testing.assert_array_equal(batches[vote], expected)
        # The one-valued factor is never fixed, the others equally often.
        counts = np.bincount(fixed, minlength=4)
        assert counts[1] == 0
        assert np.all(np.abs(counts[[0, 2, 3]] - 100) < 4 * np.sqrt(300 * 2 / 9))

    def test_vote_matrix_counts_every_vote_at_its_own_latent(self):
        sizes = (4, 4, 4)
        result = factor_vae_score(
            known.GridDataset(sizes), known.dead_latent(sizes), **SMALL
        )
        # Latent 0 is dead, latent d + 1 shows factor d.
        assert result.votes.shape == (4, 3)
        assert result.votes.sum() == result.test_votes.sum() == 400
        np.testing.assert_array_equal(np.nonzero(result.votes), [[1, 2, 3], [0, 1, 2]])
        assert result.assignments.tolist() == [-1, 0, 1, 2]
        assert result.factor_of_latent == ("", "factor0", "factor1", "factor2")
        assert result.active.tolist() == [False, True, True, True]
        assert result.num_active == 3

    def test_the_train_votes_make_the_classifier_of_the_score(self):
        """Few votes of codes that know nothing: any fit to the test votes shows."""
        result = factor_vae_score(
            known.GridDataset((4, 4, 4, 4)),
            known.unrelated(8),
            encode_once=False,
            batch_size=4,
            num_train_votes=40,
            num_test_votes=60,
        )
        classifier = result.votes.argmax(axis=1)
        right = sum(result.test_votes[d, k] for d, k in enumerate(classifier))
        assert result.score == right / 60
        assert result.train_score == result.votes.max(axis=1).sum() / 40
        assert result.score < result.test_votes.max(axis=1).sum() / 60
        share = result.test_votes.sum(axis=0) / 60
        assert result.factor_scores @ share == pytest.approx(result.score)


class TestAgainstTheLoop:
    SETTINGS = (
        {"protocol": "dlib", "batch_size": 8},
        {"protocol": "chyvae", "batch_size": 5},
        {"protocol": "dlib", "batch_size": 8, "prune_threshold": 1.5},
    )

    @pytest.mark.parametrize("setting", SETTINGS)
    def test_expectation(self, setting):
        """Other draws, the same distribution: equal means within standard errors."""
        dataset = known.GridDataset((4, 4, 4, 4))
        encode = middling(dataset.factor_sizes)
        threshold = setting.get(
            "prune_threshold", FACTOR_VAE_PROTOCOLS[setting["protocol"]].prune_threshold
        )
        ours, loop = [], []
        for seed in range(8):
            result = factor_vae_score(dataset, encode, seed=seed, **setting, **SMALL)
            ours.append((result.score, result.train_score))
            loop.append(
                slow_score(
                    dataset,
                    encode,
                    seed,
                    batch=setting["batch_size"],
                    variance=1_000,
                    train=400,
                    test=400,
                    threshold=threshold,
                )
            )
        ours, loop = np.array(ours), np.array(loop)
        assert np.all((ours.mean(axis=0) > 0.3) & (ours.mean(axis=0) < 0.99))
        error = np.sqrt((ours.var(axis=0, ddof=1) + loop.var(axis=0, ddof=1)) / 8)
        assert np.all(np.abs(ours.mean(axis=0) - loop.mean(axis=0)) < 4 * error)

    def test_same_draws_same_winners(self):
        dataset = known.GridDataset((4, 4, 4, 4))
        encode = middling(dataset.factor_sizes)
        rng = np.random.default_rng(3)
        source = GridSource(dataset, None)
        _, draws = draw_votes(source, (150, 50), 8, rng, np.arange(4))
        flat = draws.factors
        batches = flat.reshape(200, 8, 4)
        codes = encode(dataset.render(flat)).astype(np.float32)
        variance = codes.var(axis=0, dtype=np.float64)
        active = np.array([True, False, True, True, True, True])
        winner = lowest_variance_latent(
            Encoding(codes, np.arange(len(codes))),
            np.arange(len(codes)).reshape(200, 8),
            variance,
            active,
        )
        for vote, batch in enumerate(batches):
            local = encode(dataset.render(batch)).astype(np.float32)
            ratio = local.var(axis=0, ddof=1, dtype=np.float64) / variance
            assert winner[vote] == min(np.flatnonzero(active), key=lambda d: ratio[d])

    def test_golden_representation(self):
        """The study's own code on a noisy mixture of ten latents."""
        golden = known.golden()
        sizes = golden["factor_sizes"]
        encode = known.mixed(sizes, np.array(golden["mixing"]), 0.3)
        results = [
            factor_vae_score(
                known.GridDataset(sizes),
                encode,
                seed=seed,
                prune_threshold=0.0,
                encode_once=False,
                encode_batch_size=20_000,
            )
            for seed in range(2)
        ]
        theirs = golden["values"]["factor_vae"]
        assert all(result.num_active == 10 for result in results)
        for ours, key, votes in (
            ([r.score for r in results], "eval_accuracy", 5_000),
            ([r.train_score for r in results], "train_accuracy", 10_000),
        ):
            expected = np.mean([run[key] for run in theirs])
            one = expected * (1 - expected) / votes
            error = np.sqrt(one / len(ours) + one / len(theirs))
            assert abs(np.mean(ours) - expected) < 4 * error


class TestProtocols:
    def test_published_numbers(self):
        dlib, chyvae = FACTOR_VAE_PROTOCOLS["dlib"], FACTOR_VAE_PROTOCOLS["chyvae"]
        assert (dlib.batch_size, dlib.num_variance_samples) == (64, 10_000)
        assert (dlib.num_train_votes, dlib.num_test_votes) == (10_000, 5_000)
        assert dlib.prune_threshold == 0.05
        assert (chyvae.batch_size, chyvae.num_variance_samples) == (200, 5_000)
        assert (chyvae.num_train_votes, chyvae.num_test_votes) == (800, 800)
        assert chyvae.prune_threshold == 0.0
        # metrics.py of the authors: L = 1000 images, M = 20000 votes, no others.
        mathieu = FACTOR_VAE_PROTOCOLS["decomposition"]
        assert (mathieu.batch_size, mathieu.num_train_votes) == (1000, 20_000)
        assert mathieu.same_votes and mathieu.prune_threshold == 0.0

    def test_decomposition_scores_the_votes_that_it_counts(self):
        sizes = (3, 4)
        result = factor_vae_score(
            known.GridDataset(sizes),
            middling(sizes),
            protocol="decomposition",
            batch_size=4,
            num_train_votes=300,
        )
        assert result.votes.sum() == result.test_votes.sum() == 300
        assert result.score == result.votes.max(axis=1).sum() / 300 < 1

    def test_student_t_codes_score_as_the_normal_ones_that_they_map_to(self):
        """Oracle: Student-t codes made of normal ones by quantiles of scipy."""
        sizes, options = (4, 4, 4), {"num_train_votes": 300, "num_test_votes": 300}

        def normal(images):
            return middling(sizes)(images) / 2

        def student_t(images):
            return stats.t.ppf(stats.norm.cdf(normal(images)), 3.0)

        def score(encode, **more):
            data = known.GridDataset(sizes)
            return factor_vae_score(data, encode, **options, **more)

        expected, mapped = score(normal), score(student_t, student_t_df=3.0)
        np.testing.assert_array_equal(mapped.votes, expected.votes)
        assert (score(student_t).votes != expected.votes).any()
        assert mapped.protocol.endswith("num_test_votes=300, student_t_df=3.0")
        far = normal_of_student_t(np.array([-1e12, 0.0, 1e12]), 3.0)
        assert far[0] == -far[2] and np.isfinite(far).all() and far[1] == 0

    # The twenty million draws of "decomposition" take half a minute.
    @pytest.mark.parametrize("name", [*FACTOR_VAE_PROTOCOLS][:-1])
    def test_full_size_runs_on_a_small_grid(self, name):
        sizes = (3, 4, 5)
        dataset = known.GridDataset(sizes)
        result = factor_vae_score(dataset, known.perfect(sizes), protocol=name)
        assert result.score == result.train_score == 1.0
        assert result.protocol == name
        assert result.votes.sum() == FACTOR_VAE_PROTOCOLS[name].num_train_votes
        assert dataset.num_rendered == 60

    def test_an_override_shows_in_the_name(self):
        sizes = (3, 4)
        result = factor_vae_score(
            known.GridDataset(sizes),
            known.perfect(sizes),
            protocol="chyvae",
            batch_size=10,
            num_train_votes=800,
        )
        assert result.protocol == "chyvae, batch_size=10"

    def test_pruning_tells_the_protocols_apart(self):
        sizes = (4, 4)

        def encode(images):  # Latent 1 shows its factor faintly.
            return known.standardised(images, sizes) * [1.0, 0.01]

        dataset = known.GridDataset(sizes)
        kept = factor_vae_score(dataset, encode, protocol="chyvae", **SMALL)
        pruned = factor_vae_score(dataset, encode, protocol="dlib", **SMALL)
        assert kept.score == 1.0
        assert kept.num_active == 2
        assert pruned.num_active == 1
        assert 0.4 < pruned.score < 0.6

    def test_seed_decides_all_draws(self):
        dataset = known.GridDataset((3, 4, 8), stochastic=True)
        encode = middling(dataset.factor_sizes)
        results = [
            factor_vae_score(dataset, encode, seed=seed, batch_size=6, **SMALL)
            for seed in (0, 0, 1)
        ]
        np.testing.assert_array_equal(results[0].votes, results[1].votes)
        assert np.any(results[0].votes != results[2].votes)


class TestFactorsToScore:
    SIZES = (4, 4, 4)

    def test_the_others_vary_and_are_not_scored(self):
        """The code shows factors 0 and 2: perfect for these, 2/3 for all three."""

        def encode(images):
            return known.standardised(images, self.SIZES)[:, [0, 2]]

        dataset = known.GridDataset(self.SIZES)
        some = factor_vae_score(
            dataset, encode, factors=["factor2", "factor0"], **SMALL
        )
        assert some.score == 1
        assert some.factor_names == ("factor0", "factor2")
        assert some.factor_of_latent == ("factor0", "factor2")
        assert some.votes.shape == (2, 2)
        assert some.protocol.endswith(", factors=factor0+factor2")
        assert dataset.num_rendered == 64
        assert factor_vae_score(dataset, encode, **SMALL).score < 0.9

    def test_all_factors_by_name_are_all_factors(self):
        dataset = known.GridDataset(self.SIZES)
        names = list(dataset.factor_names)
        encode = middling(self.SIZES)
        plain = factor_vae_score(dataset, encode, **SMALL)
        named = factor_vae_score(dataset, encode, factors=names, **SMALL)
        np.testing.assert_array_equal(plain.votes, named.votes)
        assert plain.protocol == named.protocol


class TestCategories:
    COLUMNS = (CodeColumn("c0", "categorical"), CodeColumn("z0"))

    def test_the_names_of_the_categories_do_not_matter(self):
        """Category 9,000 beside 0: as a number, it would decide the variance."""
        sizes = (4, 4)
        names = np.array([0, 9_000, 3, 70])
        noise = np.random.default_rng(0).integers(2, size=(4, 4))

        def codes(values):
            def encode(images):
                factors = known.factors_of(images)
                mixed = (factors[:, 0] + noise[factors[:, 0], factors[:, 1]]) % 4
                return np.stack([values[mixed], factors[:, 1] / 4], axis=1)

            return encode

        results = [
            factor_vae_score(
                known.GridDataset(sizes),
                codes(values),
                columns=self.COLUMNS,
                batch_size=6,
                num_train_votes=400,
                num_test_votes=400,
            )
            for values in (np.arange(4), names)
        ]
        np.testing.assert_array_equal(results[0].votes, results[1].votes)
        assert 0.7 < results[0].score < 1
        assert results[0].protocol.endswith(", categorical=gini")

    def test_variance_by_hand(self):
        """1 - sum of squared shares, times B / (B - 1): the one-hot variances' sum."""
        codes = np.array([[1, 0], [1, 2], [7, 4], [1, 6]], np.float32)
        encoding, starts = _one_hot_encoding(
            Encoding(codes, np.arange(4)), self.COLUMNS
        )
        assert starts.tolist() == [0, 2]
        variance = _variance(encoding[:], 0, starts)
        gini = 1 - (3 / 4) ** 2 - (1 / 4) ** 2
        np.testing.assert_allclose(variance, [gini * 4 / 3, codes[:, 1].var(ddof=1)])


class TestVerbatim:
    """What the references do with degenerate input, by name."""

    def test_a_constant_latent_wins_every_vote(self):
        sizes = (4, 4, 4)
        dataset, encode = known.GridDataset(sizes), known.dead_latent(sizes)
        fixed = factor_vae_score(dataset, encode, protocol="chyvae", **SMALL)
        verbatim = factor_vae_score(
            dataset, encode, protocol="chyvae-verbatim", **SMALL
        )
        assert fixed.score == 1
        assert verbatim.votes[0].sum() == 400
        assert 0.2 < verbatim.score < 0.5  # one guess for three factors
        # The study prunes it by its size.
        study = factor_vae_score(dataset, encode, protocol="dlib-verbatim", **SMALL)
        assert study.score == 1

    def test_all_latents_count_as_active(self):
        sizes = (4, 4)
        dataset, encode = known.GridDataset(sizes), known.dead_latent(sizes)
        for protocol, expected in (("dlib", 2), ("dlib-verbatim", 3)):
            result = factor_vae_score(dataset, encode, protocol=protocol, **SMALL)
            assert result.num_active == expected

    def test_factors_with_one_value_are_drawn(self):
        sizes = (4, 1, 4)
        result = factor_vae_score(
            known.GridDataset(sizes),
            known.perfect(sizes),
            protocol="dlib-verbatim",
            **SMALL,
        )
        assert result.votes[:, 1].sum() > 80
        assert result.score < 0.9

    @pytest.mark.parametrize("name", ["dlib", "chyvae"])
    def test_otherwise_the_same(self, name):
        dataset = known.GridDataset((4, 4, 4))
        results = [
            factor_vae_score(dataset, middling((4, 4, 4)), protocol=p, **SMALL)
            for p in (name, f"{name}-verbatim")
        ]
        np.testing.assert_array_equal(results[0].votes, results[1].votes)


class TestDegenerate:
    def test_one_latent(self):
        sizes = (4, 4)
        result = factor_vae_score(
            known.GridDataset(sizes),
            lambda images: known.standardised(images, sizes)[:, :1],
            **SMALL,
        )
        assert result.votes.shape == (1, 2)
        assert 0.4 < result.score < 0.6

    @pytest.mark.parametrize("protocol", FACTOR_VAE_PROTOCOLS)
    def test_one_factor(self, protocol):
        result = factor_vae_score(
            known.GridDataset((9,)), known.perfect((9,)), protocol=protocol, **SMALL
        )
        assert result.score == 1.0
        assert result.votes.tolist() == [[400]]

    def test_one_latent_one_factor_constant(self):
        result = factor_vae_score(
            known.GridDataset((9,)), known.collapsed(1), protocol="chyvae", **SMALL
        )
        assert result.score == result.train_score == 0.0
        assert result.num_active == 0
        assert result.assignments.tolist() == [-1]
        assert not result.votes.any()

    def test_one_valued_factor_has_no_votes(self):
        sizes = (4, 1, 4)
        result = factor_vae_score(
            known.GridDataset(sizes), known.perfect(sizes), **SMALL
        )
        assert result.score == 1.0
        assert result.votes[:, 1].sum() == 0
        assert result.active.tolist() == [True, False, True]

    @pytest.mark.parametrize("value", [0.1, 1 / 3, 0.7])
    def test_a_constant_latent_has_no_vote_in_either_precision(self, value):
        # 0.1 and its like have a variance of 1e-34 in float64, by rounding.
        rng = np.random.default_rng(0)
        factors = rng.integers(0, 4, (2_000, 3))
        latents = factors + rng.normal(0, 0.05, factors.shape)
        codes = np.column_stack([latents, np.full(len(factors), value)])
        for dtype in (np.float32, np.float64):
            result = METRICS["factor_vae"](
                codes.astype(dtype), factors, protocol="chyvae", **SMALL
            )
            assert result.active.tolist() == [True, True, True, False]
            assert result.score == 1.0


class TestErrors:
    DATASET = known.GridDataset((3, 4))

    def score(self, encode, **options):
        return factor_vae_score(self.DATASET, encode, **options, **SMALL)

    def test_only_one_valued_factors(self):
        with pytest.raises(ArgumentError, match=r"factor with two values.*\(1, 1\)"):
            factor_vae_score(known.GridDataset((1, 1)), known.collapsed(2))

    @pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
    def test_codes_that_are_not_finite(self, value):
        def encode(images):
            codes = np.zeros((len(images), 5))
            codes[-1, [1, 3]] = value
            return codes

        with pytest.raises(ArgumentError, match="NaN or infinity in z1, z3"):
            self.score(encode)

    def test_transposed_codes(self):
        with pytest.raises(ArgumentError, match="Return the transpose"):
            self.score(lambda images: known.perfect((3, 4))(images).T)

    @pytest.mark.parametrize("shape", [(), (3,), (3, 2), (12, 2, 2), (12, 0)])
    def test_codes_of_another_shape(self, shape):
        with pytest.raises(ArgumentError, match=r"codes of shape \[12, L\]"):
            self.score(lambda images: np.zeros(shape))

    def test_codes_that_are_not_numbers(self):
        with pytest.raises(ArgumentTypeError, match="return numbers"):
            self.score(lambda images: np.full((len(images), 2), "a"))

    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"protocol": "dlob"}, "Did you mean dlib"),
            ({"batch_size": 1}, "batch_size must be at least 2"),
            ({"prune_threshold": -0.1}, "prune_threshold must be at least 0"),
            ({"seed": -1}, "seed must be at least 0"),
            ({"encode_batch_size": 0}, "encode_batch_size must be at least 1"),
        ],
    )
    def test_arguments(self, options, match):
        with pytest.raises(ArgumentError, match=match):
            self.score(known.perfect((3, 4)), **options)


def test_import_leaves_tensorflow_alone():
    code = (
        "import sys, tf_disentangle.metrics\n"
        "heavy = {'tensorflow', 'keras', 'torch', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
