"""The shape in which PayPal tells an error."""

from http import HTTPStatus


class PayPalError(Exception):
    """An answer that is not what was asked for."""

    def __init__(self, status: int, name: str, issue: str = "", field: str = "") -> None:
        super().__init__(issue or name)
        self.status = status
        self.name = name
        self.issue = issue
        # Where in a body it is, as a JSON pointer.
        self.field = field

    def body(self) -> dict[str, object]:
        detail = {"issue": self.issue, "description": "By the simulator."}
        if self.field:
            detail["field"] = self.field
        return {
            "name": self.name,
            "message": "The simulator says no.",
            "debug_id": "5133698f61f5a",
            "details": [detail] if self.issue else [],
        }


def not_found() -> PayPalError:
    return PayPalError(HTTPStatus.NOT_FOUND, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")


def not_now(issue: str) -> PayPalError:
    return PayPalError(HTTPStatus.UNPROCESSABLE_ENTITY, "UNPROCESSABLE_ENTITY", issue)


def invalid(issue: str, field: str = "") -> PayPalError:
    return PayPalError(HTTPStatus.BAD_REQUEST, "INVALID_REQUEST", issue, field)
