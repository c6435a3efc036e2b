"""Runs without the pictures at their end, which take as long as the training does."""

import tf_disentangle


def train(model, data, **options):
    """Does what `tf_disentangle.train` does, for a test that looks at no picture."""
    run = tf_disentangle.train(model, data, dry_run=True, **options)
    run._loop.draw = lambda: None
    return run.start()
