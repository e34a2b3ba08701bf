"""`python -m headrace_client`: the same as the command `headrace`."""

from __future__ import annotations

import sys

from headrace_client.cli import main

sys.exit(main())
