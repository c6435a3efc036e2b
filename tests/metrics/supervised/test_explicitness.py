import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import label_binarize

from tests import representations as known
from tf_disentangle.checks import ArgumentError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics import explicitness_score
from tf_disentangle.metrics.supervised.explicitness import mean_area


def split(encode, sizes, n=900):
    codes, factors = known.drawn(encode, sizes, n)
    cut = 2 * n // 3
    return codes[:cut], factors[:cut], codes[cut:], factors[cut:]


def mixture(sizes=(3, 5, 4)):
    mixing = np.random.default_rng(1).normal(size=(len(sizes), 4))
    return split(known.mixed(sizes, mixing, 0.5), sizes)


def slow_explicitness(train_codes, train_factors, test_codes, test_factors, model):
    """The study's loop."""
    mean, deviation = train_codes.mean(axis=0), train_codes.std(axis=0)
    train, test = (train_codes - mean) / deviation, (test_codes - mean) / deviation
    areas = []
    for k in range(train_factors.shape[1]):
        fitted = model.fit(train, train_factors[:, k])
        areas.append(
            [
                roc_auc_score(
                    label_binarize(labels, classes=fitted.classes_),
                    fitted.predict_proba(codes),
                    average="macro",
                )
                for codes, labels in (
                    (train, train_factors[:, k]),
                    (test, test_factors[:, k]),
                )
            ]
        )
    return np.array(areas).T


class TestGolden:
    def test_study_code_under_todays_solvers(self):
        result = explicitness_score(*known.golden_samples())
        values = known.golden()["values"]
        assert result.protocol == "dlib-sklearn1.9"
        assert result.score == pytest.approx(values["explicitness_test"], abs=1e-4)
        assert result.train_score == pytest.approx(
            values["explicitness_train"], abs=1e-4
        )


class TestAgainstTheLoop:
    @pytest.mark.parametrize(
        ("protocol", "model"),
        [
            ("dlib-sklearn1.9", LogisticRegression()),
            ("dlib", OneVsRestClassifier(LogisticRegression(solver="liblinear"))),
            (
                "dlib-verbatim",
                OneVsRestClassifier(LogisticRegression(solver="liblinear")),
            ),
        ],
    )
    def test_same_scores(self, protocol, model):
        arrays = mixture()
        result = explicitness_score(*arrays, protocol=protocol)
        train, test = slow_explicitness(*arrays, model)
        np.testing.assert_allclose(result.train_factor_scores, train, atol=1e-12)
        np.testing.assert_allclose(result.factor_scores, test, atol=1e-12)
        assert result.score == pytest.approx(test.mean())
        assert result.train_score == pytest.approx(train.mean())
        assert 0.55 < result.score < 0.95
        assert result.protocol == protocol


class TestMeanArea:
    def test_by_hand(self):
        # Of class 1's two members one leads both others, one leads one of them.
        chance = np.array([0.9, 0.4, 0.6, 0.1])
        labels = np.array([1, 1, 0, 0])
        area = mean_area(labels, np.stack([1 - chance, chance], 1), np.array([0, 1]))
        assert area == 0.75

    def test_ties_count_half(self):
        assert mean_area(np.array([0, 1]), np.full((2, 2), 0.5), np.arange(2)) == 0.5

    def test_equals_scikit_learn(self):
        rng = np.random.default_rng(0)
        labels, chance = rng.integers(4, size=200), rng.integers(9, size=(200, 4)) / 9
        expected = roc_auc_score(label_binarize(labels, classes=range(4)), chance)
        assert mean_area(labels, chance, np.arange(4)) == pytest.approx(expected)

    def test_no_class_with_members_and_others(self):
        assert np.isnan(mean_area(np.zeros(3), np.ones((3, 2)), np.array([0, 1])))


class TestDegenerate:
    def test_constant_latent_is_no_feature(self):
        train, labels, test, test_labels = mixture()
        expected = explicitness_score(train, labels, test, test_labels).score
        # Constant in the train part only, and far from it in the test part.
        more = np.insert(train, 1, 0.1, axis=1)
        test_more = np.insert(test, 1, np.arange(len(test)), axis=1)
        assert (
            explicitness_score(more, labels, test_more, test_labels).score == expected
        )
        with pytest.raises(ArgumentError, match=r"no constant latent.*z1"):
            explicitness_score(
                more, labels, test_more, test_labels, protocol="dlib-verbatim"
            )

    def test_class_absent_from_the_test_part(self):
        train, labels, test, test_labels = mixture()
        some = test_labels[:, 1] != 2
        arrays = train, labels, test[some], test_labels[some]
        result = explicitness_score(*arrays)
        assert np.isfinite(result.factor_scores).all()
        # By hand: the mean over the four classes that the test part has.
        mean, deviation = train.mean(axis=0), train.std(axis=0)
        model = LogisticRegression().fit((train - mean) / deviation, labels[:, 1])
        chance = model.predict_proba((test[some] - mean) / deviation)
        areas = [
            roc_auc_score(test_labels[some, 1] == c, chance[:, c]) for c in (0, 1, 3, 4)
        ]
        assert result.factor_scores[1] == pytest.approx(np.mean(areas))
        with pytest.raises(ArgumentError, match="values of factor 1"):
            explicitness_score(*arrays, protocol="dlib-sklearn1.9-verbatim")

    def test_class_absent_from_the_train_part(self):
        train, labels, test, test_labels = mixture()
        seen = labels[:, 1] != 2
        result = explicitness_score(train[seen], labels[seen], test, test_labels)
        assert 0.5 < result.factor_scores[1] < 1

    def test_factor_with_one_value_is_left_out(self):
        train, labels, test, test_labels = mixture()
        expected = explicitness_score(train, labels, test, test_labels)
        for value in (7, np.arange(len(test))):  # in the test part too, or not
            result = explicitness_score(
                train,
                np.insert(labels, 0, 7, axis=1),
                test,
                np.insert(test_labels, 0, value, axis=1),
            )
            assert result.score == expected.score
            assert np.isnan(result.factor_scores[0])

    def test_one_value_in_the_test_part_only(self):
        train, labels, test, test_labels = mixture()
        test_labels = test_labels.copy()
        test_labels[:, 0] = 1
        result = explicitness_score(train, labels, test, test_labels)
        assert np.isnan(result.factor_scores[0])
        assert np.isfinite(result.train_factor_scores).all()
        assert result.score == pytest.approx(np.mean(result.factor_scores[1:]))
        with pytest.raises(ArgumentError, match="two of the train part's values"):
            explicitness_score(train, labels[:, :1], test, test_labels[:, :1])

    def test_one_latent_and_one_factor(self):
        codes = np.random.default_rng(0).normal(size=(300, 1))
        factors = codes > 0
        result = explicitness_score(
            codes[:200], factors[:200], codes[200:], factors[200:]
        )
        assert result.score == 1


def test_categories_in_no_order():
    codes = np.random.default_rng(0).integers(3, size=(900, 1))
    factors = codes == 1
    arrays = codes[:600], factors[:600], codes[600:], factors[600:]
    result = explicitness_score(*arrays, columns=[CodeColumn("c0", "categorical")])
    assert result.score == 1
    assert result.protocol == "dlib-sklearn1.9, categorical=one-hot"
    assert explicitness_score(*arrays).score < 0.8
