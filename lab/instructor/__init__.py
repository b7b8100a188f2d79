"""Everything for instructors: solutions, sandbox, grades, answer keys. It is not in the students' copy."""
