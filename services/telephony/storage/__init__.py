"""The subaccounts' SQL: each statement above the one function that sends it."""
