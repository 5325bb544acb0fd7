"""What the gateway does: takes deliveries in, settles events, links, tells levels, answers."""
