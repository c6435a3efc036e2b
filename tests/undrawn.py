"""Runs without what takes longer than their training does, and is tested elsewhere.

That is the pictures at their end (tests/training/test_pictures.py) and the diagnostics
of held-out images, traced anew for each model (tests/objectives/test_diagnostics.py).
"""

import tf_disentangle


def train(model, data, *, diagnosed=False, **options):
    """Does what `tf_disentangle.train` does, for a test that looks at neither."""
    run = tf_disentangle.train(model, data, dry_run=True, **options)
    run._loop.draw = lambda: None
    if not diagnosed:
        run.model.diagnostics = lambda images, seed: {}
    return run.start()
