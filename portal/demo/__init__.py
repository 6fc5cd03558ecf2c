"""A practice of made-up people, told through the same actions that real people use. Never in production."""
