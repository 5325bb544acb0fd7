"""The shape in which PayPal tells an error."""

from http import HTTPStatus


class PayPalError(Exception):
    """An answer that is not what was asked for."""

    def __init__(self, status: int, name: str, issue: str = "") -> None:
        super().__init__(issue or name)
        self.status = status
        self.name = name
        self.issue = issue

    def body(self) -> dict[str, object]:
        details = [{"issue": self.issue, "description": "By the simulator."}] if self.issue else []
        return {
            "name": self.name,
            "message": "The simulator says no.",
            "debug_id": "5133698f61f5a",
            "details": details,
        }


def not_found() -> PayPalError:
    return PayPalError(HTTPStatus.NOT_FOUND, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")


def not_now(issue: str) -> PayPalError:
    return PayPalError(HTTPStatus.UNPROCESSABLE_ENTITY, "UNPROCESSABLE_ENTITY", issue)
