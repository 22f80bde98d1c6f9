"""ImageLayer's rules, stores and edge kit. Importing any of it touches no network and no AWS."""
