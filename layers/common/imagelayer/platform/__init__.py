"""What every domain stands on: settings, errors, ids, times and AWS. It knows no domain."""
