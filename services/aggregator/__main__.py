"""`python -m services.aggregator` runs the service."""

from services.aggregator.main import create_app
from services.aggregator.settings import AggregatorSettings
from shared.runtime.serve import serve

if __name__ == "__main__":
    settings = AggregatorSettings()
    serve("aggregator", settings, lambda: create_app(settings))
