"""Plumbing that every service uses: settings, AWS clients, the SQS worker loop, logging, health, problems."""
