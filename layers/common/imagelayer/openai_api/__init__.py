"""The images API as OpenAI's clients speak it."""
