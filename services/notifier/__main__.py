"""`python -m services.notifier` runs the service."""

from services.notifier.main import create_app
from services.notifier.settings import NotifierSettings
from shared.runtime.serve import serve

if __name__ == "__main__":
    settings = NotifierSettings()
    serve("notifier", settings, lambda: create_app(settings))
