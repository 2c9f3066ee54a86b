"""Pydantic models only: the contract between the services and with their callers."""
