"""The one shape in which Twilio tells an error."""

from http import HTTPStatus


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


def not_found(path: str) -> TwilioError:
    return TwilioError(20404, HTTPStatus.NOT_FOUND, f"The requested resource {path} was not found")
