"""Commands for operators: `python -m services.indexer deadletter …` and `… verify …`.

The commands read the same settings as the indexer, and may run while the indexer runs. Exit codes:
0 success; 1 the command found differences or could not handle every letter; 2 the command failed.
"""
