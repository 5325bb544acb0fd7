"""The campaigns' SQL: each statement above the one function that sends it."""
