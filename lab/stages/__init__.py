"""The report's server, growing into ours by one idea a stage: see README.md in this folder."""
