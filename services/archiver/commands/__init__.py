"""Commands for operators: `verify`, `restore`, `erase` and `forget`.

The commands read the same settings as the archiver. Exit codes: 0 success; 1 the command found
something wrong; 2 the command failed.
"""
