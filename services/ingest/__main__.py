"""`python -m services.ingest` runs the service."""

from services.ingest.main import create_app
from services.ingest.settings import IngestSettings
from shared.runtime.serve import serve

if __name__ == "__main__":
    settings = IngestSettings()
    serve("ingest", settings, lambda: create_app(settings))
