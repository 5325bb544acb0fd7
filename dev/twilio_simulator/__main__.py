"""Runs the simulator until it is told to stop."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from dev.twilio_simulator.simulator import TwilioSimulator


def main() -> None:
    auth_token = os.environ.get("TWILIO_AUTH_TOKEN")
    if not auth_token:
        sys.exit("TWILIO_AUTH_TOKEN is not set: it is the token the simulator will accept.")
    asyncio.run(_serve(_arguments(), auth_token))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.twilio_simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--account-sid", required=True, help="the parent account")
    parser.add_argument("--state-file", type=Path, help="keeps the accounts between runs")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace, auth_token: str) -> None:
    stop_asked = asyncio.Event()
    for stop_signal in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(stop_signal, stop_asked.set)
    simulator = TwilioSimulator(arguments.account_sid, auth_token, arguments.state_file)
    await simulator.start(arguments.host, arguments.port)
    print(f"Twilio simulator on {simulator.base_url}", flush=True)
    try:
        await stop_asked.wait()
    finally:
        await simulator.stop()


if __name__ == "__main__":
    main()
