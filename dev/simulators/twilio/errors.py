"""The one shape in which Twilio tells an error, and what its codes mean."""

from collections.abc import Mapping
from http import HTTPStatus

from dev.simulators.faults import Refusal

INVALID_PARAMETER = 20001
ACCESS_DENIED = 20003
NOT_FOUND = 20404
ACCOUNT_NOT_ACTIVE = 10001
CALL_REJECTED = 10003
NO_CALLEE = 21201
NO_INSTRUCTIONS = 21205
NO_CALLER = 21213
CALL_HAS_ENDED = 21220
INVALID_STATUS = 21475
PARENT_IS_SUSPENDED = 21476
IS_THE_PARENT = 21477
SUSPENDED_BY_TWILIO = 21478
IS_CLOSED = 21479
TOO_MANY_SUBACCOUNTS = 21480
MESSAGE_IS_EMPTY = 21602
NO_SENDER = 21603
NO_RECIPIENT = 21604
NOT_SCHEDULED = 30409
NO_MESSAGING_SERVICE = 35118

UNABLE = "Unable to update Status for subaccount, "

# The HTTP status that comes with it, and Twilio's message. Twilio does not document the status of
# 10001, 20005 and 20008.
CODES: Mapping[int, tuple[int, str]] = {
    ACCOUNT_NOT_ACTIVE: (HTTPStatus.FORBIDDEN, "Account is not active"),
    CALL_REJECTED: (HTTPStatus.FORBIDDEN, "Incoming call rejected due to inactive account"),
    INVALID_PARAMETER: (HTTPStatus.BAD_REQUEST, "Invalid parameter"),
    ACCESS_DENIED: (HTTPStatus.UNAUTHORIZED, "Authenticate"),
    20005: (HTTPStatus.FORBIDDEN, "Account not active"),
    20008: (HTTPStatus.FORBIDDEN, "Resource not accessible with Test Account Credentials"),
    NOT_FOUND: (HTTPStatus.NOT_FOUND, "The requested resource was not found"),
    20429: (HTTPStatus.TOO_MANY_REQUESTS, "Too Many Requests"),
    20500: (HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error"),
    NO_CALLEE: (HTTPStatus.BAD_REQUEST, "No 'To' number specified"),
    NO_INSTRUCTIONS: (HTTPStatus.BAD_REQUEST, "Url parameter is required."),
    NO_CALLER: (HTTPStatus.BAD_REQUEST, "No 'From' number specified"),
    CALL_HAS_ENDED: (HTTPStatus.BAD_REQUEST, "Call is not in-progress. Cannot redirect."),
    21472: (HTTPStatus.BAD_REQUEST, "Account is not active"),
    INVALID_STATUS: (HTTPStatus.BAD_REQUEST, "Unable to update Status, invalid Status."),
    PARENT_IS_SUSPENDED: (HTTPStatus.BAD_REQUEST, f"{UNABLE}parent account is suspended."),
    IS_THE_PARENT: (HTTPStatus.BAD_REQUEST, "Unable to update Status for parent accounts."),
    SUSPENDED_BY_TWILIO: (
        HTTPStatus.BAD_REQUEST,
        f"{UNABLE}subaccount has been suspended by Twilio.",
    ),
    IS_CLOSED: (HTTPStatus.BAD_REQUEST, f"{UNABLE}subaccount is closed and can not be re-opened."),
    TOO_MANY_SUBACCOUNTS: (
        HTTPStatus.BAD_REQUEST,
        "Unable to create subaccount, the maximum number of subaccounts was reached.",
    ),
    MESSAGE_IS_EMPTY: (HTTPStatus.BAD_REQUEST, "Message body is required."),
    NO_SENDER: (HTTPStatus.BAD_REQUEST, "A 'From' phone number is required."),
    NO_RECIPIENT: (HTTPStatus.BAD_REQUEST, "A 'To' phone number is required."),
    NOT_SCHEDULED: (HTTPStatus.CONFLICT, "This message cannot be canceled"),
    NO_MESSAGING_SERVICE: (
        HTTPStatus.BAD_REQUEST,
        "MessagingServiceSid is required to schedule a message",
    ),
}


class TwilioError(Exception):
    """An answer that is not what was asked for, with Twilio's own code."""

    def __init__(self, code: int, http_status: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = http_status
        self.message = message

    def body(self) -> dict[str, object]:
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.http_status,
        }


def error(code: int) -> TwilioError:
    return TwilioError(code, *CODES[code])


def not_found(path: str) -> TwilioError:
    message = f"The requested resource {path} was not found"
    return TwilioError(NOT_FOUND, HTTPStatus.NOT_FOUND, message)


def invalid(name: str) -> TwilioError:
    return TwilioError(INVALID_PARAMETER, HTTPStatus.BAD_REQUEST, f"Invalid parameter: {name}")


def refusal(code: int) -> Refusal:
    """The fault that is one of Twilio's codes, with the HTTP status that belongs to it."""
    http_status, _ = CODES[code]
    return Refusal(str(code), http_status)
