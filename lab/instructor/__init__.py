"""Everything for instructors: stubs, sandbox, grades, answer keys. It is not in the students' copy.

stubs        the students' sheets, generated from the solutions
sandbox      a process without network, other files and time to waste
submissions  folders and zips handed in, opened with care
answer_key   the right answers about a student's capture, derived from it
marking      one submission to marks;  outputs, pages  what is written of them
copies       the same recording handed in twice
"""
