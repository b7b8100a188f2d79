"""The students' sheets, and ``check()`` for notebooks."""

from lab.exercises.checks.notebook import check, check_cells

__all__ = ["check", "check_cells"]
