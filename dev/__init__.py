"""What builds, runs and shows the product on one machine; the product imports none of it."""
