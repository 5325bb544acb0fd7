"""Which campaigns may run: values, commands, and the decision that joins them."""
