"""Solutions, other styles of them and misconceptions: for instructors, and not in the students' copy."""
