"""Whether providers take our credentials. Nothing is changed there."""

from typing import Final

from prometheus_client import CollectorRegistry

from preflight.given import Given
from preflight.problems import Problem
from services.billing_gateway.paypal.environment import ADDRESSES, Environment
from services.billing_gateway.paypal.http_client import HttpClient as PayPalHttpClient
from services.billing_gateway.paypal.oauth import Credentials, OAuth
from services.billing_gateway.ports import ProviderError, UnknownToProviderError
from services.billing_gateway.provider_calls import ProviderCalls
from services.billing_gateway.stripe.api import StripeApi
from services.telephony.domain.values import ObservedState
from services.telephony.ports import TwilioError
from services.telephony.twilio_accounts import TwilioRestAccounts

ANSWER_SECONDS_MAX: Final = 4.0
# Of those that the gateway reads, so that a restricted key may do it; there is none of that id.
STRIPE_OBJECT: Final = "/v1/subscriptions/sub_preflight"


async def twilio_problems(given: Given) -> list[Problem]:
    """Ask Twilio how the platform's own account stands."""
    settings = given.telephony
    if settings is None:
        return []
    twilio = TwilioRestAccounts(
        parent_account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_token.get_secret_value(),
        api_base=settings.twilio_api_base,
        timeout_seconds=ANSWER_SECONDS_MAX,
        registry=CollectorRegistry(),
    )
    try:
        status = await twilio.fetch_status(settings.twilio_account_sid)
    except TwilioError as error:
        return [Problem("TWILIO_AUTH_TOKEN", str(error))]
    finally:
        await twilio.close()
    if status is not ObservedState.ACTIVE:
        return [Problem("TWILIO_ACCOUNT_SID", f"the account is {status} at Twilio")]
    return []


async def paypal_problems(given: Given) -> list[Problem]:
    """Have PayPal give a token."""
    settings = given.billing_gateway
    if settings is None or not settings.paypal_webhook_ids:
        return []
    host = ADDRESSES[Environment(settings.paypal_environment)].api_host
    http_client = PayPalHttpClient(
        settings.paypal_api_base or f"https://{host}", ANSWER_SECONDS_MAX
    )
    secret = settings.paypal_client_secret.get_secret_value()
    try:
        await OAuth(http_client, Credentials(settings.paypal_client_id, secret)).token()
    except ProviderError as error:
        return [Problem("PAYPAL_CLIENT_SECRET", str(error))]
    finally:
        await http_client.close()
    return []


async def stripe_problems(given: Given) -> list[Problem]:
    """Ask Stripe for something that it does not have."""
    settings = given.billing_gateway
    if settings is None or not settings.stripe_api_key.get_secret_value():
        return []
    stripe = StripeApi(
        settings.stripe_api_key.get_secret_value(),
        settings.stripe_api_base,
        ANSWER_SECONDS_MAX,
        ProviderCalls(CollectorRegistry()),
    )
    try:
        await stripe.get("preflight", STRIPE_OBJECT)
    except UnknownToProviderError:
        return []
    except ProviderError as error:
        return [Problem("STRIPE_API_KEY", str(error))]
    finally:
        await stripe.close()
    return []
