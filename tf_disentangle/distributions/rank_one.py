"""Algebra of the symmetric positive definite operators behind inverse-Wisharts.

All of it is written with a *whitening* W of an operator A, W^T W = A^-1:

    x^T A^-1 x = |W x|^2        tr(A^-1 X X^T) = |W X|_F^2

For A = C C^T it is W = C^-1. A rank-one update of A needs no second factor:

    A + u u^T = C (I + w w^T) C^T                w = C^-1 u,  s = w^T w = u^T A^-1 u
    W = (I - w w^T / (r (1 + r))) C^-1           r = sqrt(1 + s)
    log|A + u u^T| = log|A| + log1p(s)

`LinearOperatorLowRankUpdate` represents the update exactly, but its own solve and
determinant subtract numbers of nearly equal size: in float32 the KL of two
inverse-Wisharts through them is off by 0.19 nats at 100,000 degrees of freedom. The
forms above have no such subtraction.
"""

from __future__ import annotations

import tensorflow as tf


def from_factor(scale_tril: tf.Tensor) -> tf.linalg.LinearOperator:
    """Returns L L^T [..., p, p] as an operator that keeps its factor L."""
    tril = tf.linalg.LinearOperatorLowerTriangular(scale_tril, is_non_singular=True)
    return tf.linalg.LinearOperatorComposition(
        [tril, tril.adjoint()], is_self_adjoint=True, is_positive_definite=True
    )


def factor(operator: tf.linalg.LinearOperator) -> tf.linalg.LinearOperator:
    """Returns C with C C^T = `operator`; diagonal operators stay diagonal."""
    if isinstance(operator, tf.linalg.LinearOperatorComposition):
        first, *rest = operator.operators
        if len(rest) == 1 and getattr(rest[0], "operator", None) is first:
            return first  # Made by `from_factor`: nothing to decompose.
    return operator.cholesky()


def is_rank_one_update(operator: tf.linalg.LinearOperator) -> bool:
    """Whether `operator` is A + u u^T with one vector u per batch member."""
    return (
        isinstance(operator, tf.linalg.LinearOperatorLowRankUpdate)
        and operator.diag_update is None
        and operator.v is operator.u
        and operator.u.shape[-1] == 1
    )


def whiten(operator: tf.linalg.LinearOperator, x: tf.Tensor) -> tf.Tensor:
    """Returns W x, with W^T W = `operator`^-1, for x [..., p, k]."""
    if not is_rank_one_update(operator):
        return factor(operator).solve(x)
    x = whiten(operator.base_operator, x)
    w = whiten(operator.base_operator, operator.u)
    r = tf.sqrt(1 + tf.reduce_sum(w * w, axis=[-2, -1], keepdims=True))
    return x - w * tf.linalg.matmul(w, x, transpose_a=True) / (r * (1 + r))


def inverse_quadratic(operator: tf.linalg.LinearOperator, x: tf.Tensor) -> tf.Tensor:
    """Returns tr(x^T `operator`^-1 x) [...] for x [..., p, k]."""
    return tf.reduce_sum(tf.square(whiten(operator, x)), axis=[-2, -1])


def log_determinant(operator: tf.linalg.LinearOperator) -> tf.Tensor:
    """Returns log|`operator`| [...]."""
    if not is_rank_one_update(operator):
        return 2 * factor(operator).log_abs_determinant()
    base, u = operator.base_operator, operator.u
    return log_determinant(base) + tf.math.log1p(inverse_quadratic(base, u))
