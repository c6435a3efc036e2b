"""The explorer: one HTML file in which a trained model runs and can be looked at."""

from tf_disentangle.explorer.page import Explorer, explore
from tf_disentangle.explorer.runtime import RuntimeMissingError

__all__ = ["Explorer", "RuntimeMissingError", "explore"]
