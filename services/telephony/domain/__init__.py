"""The rules of the subaccounts: pure, told the time, tried in tests without a database."""
