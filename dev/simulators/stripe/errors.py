"""The one shape in which Stripe tells an error."""

from http import HTTPStatus


class StripeError(Exception):
    """An answer that is not what was asked for."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.kind = kind

    def body(self) -> dict[str, object]:
        return {"error": {"code": self.code, "message": self.message, "type": self.kind}}


def not_found(what: str, object_id: str) -> StripeError:
    message = f"No such {what}: '{object_id}'"
    return StripeError(HTTPStatus.NOT_FOUND, message, code="resource_missing")


def refused(message: str, code: str | None = None) -> StripeError:
    return StripeError(HTTPStatus.BAD_REQUEST, message, code=code)
