"""Commands for operators: `python -m services.indexer deadletter …` and `… verify …`.

They read the same settings as the indexer and may run beside it. Exit codes: 0 success, 1 a
finding, 2 the command could not run.
"""
