"""The checks of the exercises, a file a sheet: against the students' stubs, or with ``--solutions`` against those."""
