"""One self-contained page about a study: what it is, its scores, figures and failures.

The page can be made at any time, also while the study runs: it shows the runs that are
done by then and says how many are not.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tf_disentangle import files, visualization
from tf_disentangle.checks import ArgumentError, require
from tf_disentangle.pages import html
from tf_disentangle.pages.html import Html
from tf_disentangle.studies import analysis, report_tables, table
from tf_disentangle.studies.about import About, about_study
from tf_disentangle.studies.figures import parts
from tf_disentangle.studies.report_figures import FIGURES, Drawn

if TYPE_CHECKING:
    import pandas as pd
