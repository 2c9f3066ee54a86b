"""`python -m services.query` runs the service."""

from services.query.main import create_app
from services.query.settings import QuerySettings
from shared.runtime.serve import serve

if __name__ == "__main__":
    settings = QuerySettings()
    serve("query", settings, lambda: create_app(settings))
