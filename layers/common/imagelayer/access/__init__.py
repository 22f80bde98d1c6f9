"""Who may call: API keys, sessions of end users, authentication."""
