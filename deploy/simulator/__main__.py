"""Start a simulated Stellar network: `python -m deploy.simulator`."""

import sys
import time

from deploy.simulator.app import build_app
from deploy.simulator.network import start
from deploy.simulator.settings import load
from shared.runtime import logs
from shared.web import server as serve


def main() -> int:
    """Run until stopped. The log line `listening` contains the port."""
    settings = load(sys.argv[1:])
    logs.configure("network")
    network = start(settings, int(time.time()))
    return serve.run(lambda: build_app(network), settings.host, settings.port)


if __name__ == "__main__":
    sys.exit(main())
