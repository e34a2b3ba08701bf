"""Commands for operators: `python -m services.indexer deadletter …` and `… verify …`.

They read the same settings as the indexer, and may run beside it. Exit codes as grep's: 0 all is
well, 1 something was found, 2 it could not be done.
"""
