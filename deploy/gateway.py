"""The gateway as a process of its own: gunicorn with native threads; its RPC client is made after the fork."""

import threading
import time
from typing import Any

from gunicorn.app.base import BaseApplication

from deploy.heartbeat import beat
from shared.settings import Settings

THREADS = 16


class _Server(BaseApplication):
    def __init__(self, settings: Settings, options: dict[str, Any]):
        self._settings, self._options = settings, options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """In each worker, after the fork. A worker that hangs is ended by gunicorn, and its sign of life with it."""
        from services.gateway.app import create_app
        from services.gateway.people.delivering import start_delivering

        app = create_app(self._settings)
        start_delivering(app.extensions["gateway"])
        threading.Thread(target=beat, args=(lambda: True, time.sleep), name="heartbeat", daemon=True).start()
        return app


def serve_gateway(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve until SIGTERM; requests that are under way have 10 s to end."""
    options = {
        "bind": f"{host}:{port}",
        "workers": workers,
        "threads": THREADS,
        "worker_class": "gthread",
        "graceful_timeout": 9,
        "timeout": 60,
        "keepalive": 30,
        "accesslog": None,
        "loglevel": "warning",
        "worker_tmp_dir": None,
        "control_socket_disable": True,  # nobody manages it from beside
    }
    _Server(settings, options).run()
