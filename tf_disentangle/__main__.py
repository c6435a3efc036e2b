"""`python -m tf_disentangle` is the command `tf_disentangle`."""

from tf_disentangle.cli.main import run

if __name__ == "__main__":
    run()
