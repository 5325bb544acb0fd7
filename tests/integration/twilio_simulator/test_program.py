"""A simulated Twilio between its runs, and as a program."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

import pytest
from pydantic import ValidationError

from dev.simulators.faults import Unavailable
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from tests.integration.twilio_simulator.steps import (
    ONE,
    OTHER,
    PARENT,
    TOKEN,
    TOO_LATE_SECONDS,
    CheckedHttpClient,
    account,
    client_of,
)

CHECKOUT = Path(__file__).parents[3]


class TestStateFile:
    async def test_keeps_everything_between_runs(self, tmp_path: Path) -> None:
        file = tmp_path / "made" / "twilio.jsonl"
        first = TwilioSimulator(PARENT, TOKEN, file)
        first.set_status(ONE, AccountStatus.SUSPENDED)
        first.fail(Unavailable())
        assert first.status(OTHER) == "active"
        call = first.receive_call(OTHER, "+1", "+2")
        # Nobody has stopped the first, as if it had been killed.
        second = TwilioSimulator(PARENT, TOKEN, file)
        assert second.status(ONE) == "suspended"
        assert file.stat().st_mode & 0o777 == 0o600
        assert list(file.parent.iterdir()) == [file]
        assert [each.sid for each in second.calls(OTHER)] == [call.sid]
        second.reset()
        await first.stop()
        assert second.status(ONE) == "active"
        await second.stop()
        assert '"suspended"' not in file.read_text()

    async def test_does_not_grow_by_what_is_no_longer_true(self, tmp_path: Path) -> None:
        file = tmp_path / "twilio.jsonl"
        first = TwilioSimulator(PARENT, TOKEN, file)
        for _ in range(10):
            first.set_status(ONE, AccountStatus.SUSPENDED)
            first.set_status(ONE, AccountStatus.ACTIVE)
        await first.stop()
        assert len(file.read_text().splitlines()) > 20
        TwilioSimulator(PARENT, TOKEN, file)
        assert len(file.read_text().splitlines()) == 2

    def test_that_is_broken_is_not_taken_for_an_empty_one(self, tmp_path: Path) -> None:
        (tmp_path / "twilio.jsonl").write_text('{"sid": "AC')
        with pytest.raises(ValidationError):
            TwilioSimulator(PARENT, TOKEN, tmp_path / "twilio.jsonl")


class TestProgram:
    async def test_remembers_what_it_was_told_before_it_was_stopped(self, tmp_path: Path) -> None:
        for fetched, asked in (("active", "suspended"), ("suspended", "active")):
            process = await program("--port", "0", "--state-file", str(tmp_path / "state.json"))
            assert process.stdout is not None
            base_url = (await process.stdout.readline()).decode().split()[-1]
            async with CheckedHttpClient(timeout=TOO_LATE_SECONDS) as http_client:
                twilio = client_of(base_url, http_client)
                assert (await account(twilio, ONE).fetch_async()).status == fetched
                await account(twilio, ONE).update_async(status=asked)
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0

    async def test_wants_its_token_from_the_environment(self) -> None:
        process = await program("--port", "0", token="")
        assert process.stdout is not None
        output = await process.stdout.read()
        assert await process.wait() == 1
        assert b"TWILIO_AUTH_TOKEN is not set" in output


async def program(*arguments: str, token: str = TOKEN) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dev.simulators.twilio", "--account-sid", PARENT, *arguments),
        cwd=CHECKOUT,
        env={**os.environ, "TWILIO_AUTH_TOKEN": token},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
