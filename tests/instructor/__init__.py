"""Tests of the exercises themselves and of all that grades them; not in the students' copy."""
