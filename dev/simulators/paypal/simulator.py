"""The simulator as one object: a server to start and stop, and what happens at PayPal."""

import json
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from dev.simulators.clock import Clock
from dev.simulators.control_api import PREFIX, ProviderControlApi
from dev.simulators.deliveries import Deliveries, Event
from dev.simulators.faults import Faults
from dev.simulators.paypal.account import VERBS, Account, Books, new_id
from dev.simulators.paypal.certificates import SigningChain, keep_chain, make_chain, read_chain
from dev.simulators.paypal.errors import PayPalError
from dev.simulators.paypal.objects import JsonObject, event_json
from dev.simulators.paypal.pages import Pages, show_refusals
from dev.simulators.paypal.rest_api import ReceivedRequest, RestApi
from dev.simulators.paypal.signing import Signer
from dev.simulators.server import Server
from dev.simulators.state_file import StateFile
from services.billing_gateway.paypal.environment import ADDRESSES, Environment


class PayPalSimulator:
    """PayPal's sandbox with one seller, whose webhook it calls."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        webhook_id: str,
        webhook_url: str,
        state_file: Path | None = None,
        chain: SigningChain | None = None,
        prices: Mapping[str, tuple[str, str]] | None = None,
        retry_seconds: float = 1.0,
    ) -> None:
        """`prices`: of plans, amount and currency. The chain is kept beside the state file."""
        self.clock = Clock()
        self._state_file = StateFile(state_file, Books)
        self._chain = chain or self._find_chain(state_file)
        signer = Signer(self._chain, webhook_id)
        self.deliveries = Deliveries(
            webhook_url, lambda body: signer.headers(body, self.clock.now()), retry_seconds
        )
        self.account = Account(self._state_file.read(), self.clock.now, self._tell, prices or {})
        self._api = RestApi(
            account=self.account,
            clock=self.clock,
            signer=signer,
            deliveries=self.deliveries,
            credentials=(client_id, client_secret),
            certificate_pem=self._chain.served_pem,
        )
        self._server = Server()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        control = ProviderControlApi(
            faults=self.faults,
            deliveries=self.deliveries,
            clock=self.clock,
            verbs={name: getattr(self.account, name) for name in VERBS},
            refusal=PayPalError,
            requests=lambda: self.requests,
            reset=self.reset,
        )
        keep = self._state_file.after_each_request(lambda: self.account.books)
        application = web.Application(middlewares=[keep, show_refusals])
        application.add_routes([*self._api.routes(), *Pages(self.account).routes()])
        application.add_subapp(PREFIX, control.application())
        await self._server.start(application, host, port)

    async def stop(self) -> None:
        """What is remembered stays for the next start; what is under way is given up."""
        self.faults.stop()
        await self.deliveries.close()
        await self._server.stop()
        self._state_file.write(self.account.books)

    @property
    def base_url(self) -> str:
        return self._server.base_url

    @property
    def root_certificate_pem(self) -> bytes:
        """What a gateway must believe in to believe this simulator."""
        return self._chain.root.certificate_pem

    @property
    def faults(self) -> Faults:
        return self._api.faults

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The requests since the start, oldest first."""
        return self._api.requests

    @property
    def events(self) -> list[Event]:
        """Everything that happened, oldest first, whatever became of its deliveries."""
        return list(self._api.events.values())

    @property
    def tokens(self) -> set[str]:
        """Every token that is taken."""
        return self._api.tokens

    def revoke_tokens(self) -> None:
        """No token that was given out is taken any more."""
        self._api.tokens.clear()

    def reset(self) -> None:
        """Forgets the account, what it told, the requests and the faults."""
        self.account.forget()
        self._api.events.clear()
        self._api.answered.clear()
        self._api.requests.clear()
        self.faults.reset()

    def _tell(self, event_type: str, resource_type: str, resource: JsonObject) -> None:
        event_id = f"WH-{new_id()}-{new_id()}"
        told = event_json(event_id, event_type, resource_type, resource, self.clock.now())
        event = Event(event_id, event_type, json.dumps(told).encode())
        self._api.events[event_id] = event
        self.deliveries.happen(event)

    def _find_chain(self, state_file: Path | None) -> SigningChain:
        folder = state_file and state_file.with_suffix(".certificates")
        kept = read_chain(folder) if folder else None
        if kept is not None:
            return kept
        name = ADDRESSES[Environment.SANDBOX].certificate_name
        chain = make_chain(name, self.clock.now())
        if folder:
            keep_chain(folder, chain)
        return chain
