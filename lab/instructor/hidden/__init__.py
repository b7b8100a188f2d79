"""Checks that students do not see. The grader runs them beside the visible ones."""
