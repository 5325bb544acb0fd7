"""What an operator would conclude: pure rules, whose nouns are the services' own messages."""
