"""Runs the simulator until it is told to stop."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from dev.simulators.paypal.simulator import PayPalSimulator

SETTINGS = ("PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET", "PAYPAL_WEBHOOK_IDS")


def main() -> None:
    missing = [name for name in SETTINGS if not os.environ.get(name)]
    if missing:
        sys.exit(f"{' and '.join(missing)} not set: what the simulator accepts, and signs for.")
    asyncio.run(_serve(_arguments()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.simulators.paypal", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--webhook-url", required=True, help="where events are delivered")
    parser.add_argument(
        "--state-file", type=Path, help="keeps the account, and the certificates beside it"
    )
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    stop_asked = asyncio.Event()
    for stop_signal in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(stop_signal, stop_asked.set)
    client_id, client_secret, webhook_ids = (os.environ[name] for name in SETTINGS)
    simulator = PayPalSimulator(
        client_id=client_id,
        client_secret=client_secret,
        webhook_id=webhook_ids.split(",")[0],
        webhook_url=arguments.webhook_url,
        state_file=arguments.state_file,
    )
    await simulator.start(arguments.host, arguments.port)
    print(f"PayPal simulator on {simulator.base_url}", flush=True)
    try:
        await stop_asked.wait()
    finally:
        await simulator.stop()


if __name__ == "__main__":
    main()
