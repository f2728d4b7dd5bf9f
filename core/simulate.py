"""Answers without a network: what the embedded default gives while no key is configured."""
