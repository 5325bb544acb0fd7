"""Runs the simulator until it is told to stop."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from dev.simulators.stripe.simulator import StripeSimulator

SETTINGS = ("STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRETS")


def main() -> None:
    missing = [name for name in SETTINGS if not os.environ.get(name)]
    if missing:
        sys.exit(f"{' and '.join(missing)} not set: what the simulator accepts, and signs with.")
    asyncio.run(_serve(_arguments()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.simulators.stripe", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--webhook-url", required=True, help="where events are delivered")
    parser.add_argument("--state-file", type=Path, help="keeps the account between runs")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    stop_asked = asyncio.Event()
    for stop_signal in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(stop_signal, stop_asked.set)
    api_key, secrets = (os.environ[name] for name in SETTINGS)
    simulator = StripeSimulator(
        api_key,
        secrets.split(",")[0],
        arguments.webhook_url,
        state_file=arguments.state_file,
    )
    await simulator.start(arguments.host, arguments.port)
    print(f"Stripe simulator on {simulator.base_url}", flush=True)
    try:
        await stop_asked.wait()
    finally:
        await simulator.stop()


if __name__ == "__main__":
    main()
