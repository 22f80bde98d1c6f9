"""Webhook endpoints, messages to them, deliveries."""
