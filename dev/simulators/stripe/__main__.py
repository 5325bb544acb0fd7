"""Runs the simulator until it is told to stop."""

from dev.simulators.program import arguments_of, require_settings, run
from dev.simulators.stripe.simulator import StripeSimulator


def main() -> None:
    api_key, secrets = require_settings(("STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRETS"))
    parser = arguments_of("dev.simulators.stripe", __doc__)
    parser.add_argument("--webhook-url", required=True, help="where events are delivered")
    arguments = parser.parse_args()

    def make() -> StripeSimulator:
        return StripeSimulator(
            api_key,
            secrets.split(",")[0],
            arguments.webhook_url,
            state_file=arguments.state_file,
        )

    run("Stripe", make, arguments)


if __name__ == "__main__":
    main()
