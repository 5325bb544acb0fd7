"""Runs the simulator until it is told to stop."""

from dev.simulators.program import arguments_of, require_settings, run
from dev.simulators.twilio.simulator import TwilioSimulator


def main() -> None:
    [auth_token] = require_settings(("TWILIO_AUTH_TOKEN",))
    parser = arguments_of("dev.simulators.twilio", __doc__)
    parser.add_argument("--account-sid", required=True, help="the parent account")
    arguments = parser.parse_args()

    def make() -> TwilioSimulator:
        return TwilioSimulator(arguments.account_sid, auth_token, arguments.state_file)

    run("Twilio", make, arguments)


if __name__ == "__main__":
    main()
