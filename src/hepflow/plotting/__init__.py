"""Figures and tables: ``*numbers`` compute, ``draw*`` draw, ``run`` and ``more_tasks`` write."""

from hepflow.plotting.draw import draw_stack
from hepflow.plotting.draw_exclusion import draw_exclusion
from hepflow.plotting.draw_fit import draw_correlation, draw_pulls, draw_scan
from hepflow.plotting.draw_ranking import draw_groups, draw_ranking
from hepflow.plotting.draw_scans import draw_band, draw_contour, draw_goodness, draw_likelihood
from hepflow.plotting.draw_variations import draw_variations
from hepflow.plotting.exclusion_numbers import exclusion_numbers
from hepflow.plotting.fit_numbers import correlation_numbers, pull_numbers, pull_pages
from hepflow.plotting.more_tasks import (
    inference_tasks,
    one_variation,
    result_tasks,
    scan_groups,
    variation_tasks,
)
from hepflow.plotting.numbers import StackNumbers, prediction_numbers, stack_numbers
from hepflow.plotting.ranking_numbers import group_numbers, ranking_numbers
from hepflow.plotting.result_tables import (
    fit_table,
    impact_table,
    result_tables,
    systematics_table,
    yields_table,
)
from hepflow.plotting.run import (
    FigureTask,
    draw_all,
    draw_fit,
    draw_tasks,
    figure_svg,
    fit_tasks,
    histogram_tasks,
    make_figure,
    warm_up,
    write_figure,
)
from hepflow.plotting.save import save_figure
from hepflow.plotting.scan_numbers import (
    LimitBand,
    goodness_numbers,
    likelihood_numbers,
    limit_band,
)
from hepflow.plotting.spec import LOOK_FILE, NormalisationSource, PlottingSpec, check_colours
from hepflow.plotting.svg import svg_text
from hepflow.plotting.tables import Table, latex, markdown, text_table, write_tables
from hepflow.plotting.variation_numbers import (
    all_variations,
    variation_numbers,
    workspace_variations,
)

__all__ = [
    "LOOK_FILE",
    "FigureTask",
    "LimitBand",
    "NormalisationSource",
    "PlottingSpec",
    "StackNumbers",
    "Table",
    "all_variations",
    "check_colours",
    "correlation_numbers",
    "draw_all",
    "draw_band",
    "draw_contour",
    "draw_correlation",
    "draw_exclusion",
    "draw_fit",
    "draw_goodness",
    "draw_groups",
    "draw_likelihood",
    "draw_pulls",
    "draw_ranking",
    "draw_scan",
    "draw_stack",
    "draw_tasks",
    "draw_variations",
    "exclusion_numbers",
    "figure_svg",
    "fit_table",
    "fit_tasks",
    "goodness_numbers",
    "group_numbers",
    "histogram_tasks",
    "impact_table",
    "inference_tasks",
    "latex",
    "likelihood_numbers",
    "limit_band",
    "make_figure",
    "markdown",
    "one_variation",
    "prediction_numbers",
    "pull_numbers",
    "pull_pages",
    "ranking_numbers",
    "result_tables",
    "result_tasks",
    "save_figure",
    "scan_groups",
    "stack_numbers",
    "svg_text",
    "systematics_table",
    "text_table",
    "variation_numbers",
    "variation_tasks",
    "warm_up",
    "workspace_variations",
    "write_figure",
    "write_tables",
    "yields_table",
]
