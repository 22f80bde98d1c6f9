"""People and organizations: sign-up, login, second factor, members."""
