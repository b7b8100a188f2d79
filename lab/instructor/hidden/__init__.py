"""Checks that students do not see: the grader runs them beside the visible ones, which it runs with other seeds too."""
