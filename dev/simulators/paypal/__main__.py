"""Runs the simulator until it is told to stop; its certificates are kept beside its state file."""

from dev.simulators.paypal.simulator import PayPalSimulator
from dev.simulators.program import arguments_of, require_settings, run

SETTINGS = ("PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET", "PAYPAL_WEBHOOK_IDS")


def main() -> None:
    client_id, client_secret, webhook_ids = require_settings(SETTINGS)
    parser = arguments_of("dev.simulators.paypal", __doc__)
    parser.add_argument("--webhook-url", required=True, help="where events are delivered")
    arguments = parser.parse_args()

    def make() -> PayPalSimulator:
        return PayPalSimulator(
            client_id=client_id,
            client_secret=client_secret,
            webhook_id=webhook_ids.split(",")[0],
            webhook_url=arguments.webhook_url,
            state_file=arguments.state_file,
        )

    run("PayPal", make, arguments)


if __name__ == "__main__":
    main()
