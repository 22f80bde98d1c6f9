"""The foundation of every domain: settings, errors, ids, times and AWS. It knows no domain."""
