"""Self-contained pages: everything about one run, and several runs compared."""

from tf_disentangle.pages.comparison import comparison_page, write_comparison
from tf_disentangle.pages.run_page import run_page, write_run_page

__all__ = ["comparison_page", "run_page", "write_comparison", "write_run_page"]
