"""A gateway that dies at a step of its work, and how it is brought back."""
