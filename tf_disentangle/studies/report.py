"""One self-contained page about a study: what it is, its scores, figures and failures.

The page can be made at any time, also while the study runs: it shows the runs that are
done by then and says how many are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass
