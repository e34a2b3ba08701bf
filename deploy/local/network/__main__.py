"""Start a simulated Stellar network: `python -m deploy.local.network`."""

import sys
import time

from deploy.local.network.app import build_app
from deploy.local.network.network import start
from deploy.local.network.settings import load
from shared import logs, serve


def main() -> int:
    """Run until told to stop; the log's `listening` line tells the port."""
    settings = load(sys.argv[1:])
    logs.configure("network")
    network = start(settings, int(time.time()))
    return serve.run(lambda: build_app(network), settings.host, settings.port)


if __name__ == "__main__":
    sys.exit(main())
