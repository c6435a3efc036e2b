"""Runs without the pictures at their end, which take as long as the training does."""

from tf_disentangle.training import prepare


def train(model, dataset, **options):
    """Does what `training.train` does, for a test that looks at no picture."""
    experiment = prepare(model, dataset, **options)
    experiment.draw = lambda *_: []
    return experiment.run()
