"""The four services, as the console asks them: all at once, none for longer than it may take."""
