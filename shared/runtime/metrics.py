"""Prometheus metrics that all services have; a service declares its own beside what it measures."""

from prometheus_client import Counter, Histogram

HTTP_REQUESTS = Counter("sellersync_http_requests_total", "Requests answered", ["method", "route", "status"])
HTTP_SECONDS = Histogram("sellersync_http_request_seconds", "Time to answer", ["method", "route"])
