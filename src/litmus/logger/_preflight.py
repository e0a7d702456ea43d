"""What a logger's settings show before torch is imported: functions by the logger's name, see config/preflight.

Settings are the section of the configuration. Each raises a UserError.
"""

import importlib.util
import netrc
import os
from contextlib import suppress
from urllib.parse import urlsplit

from litmus.config.types import Section
from litmus.errors import UserError

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
WANDB_SERVERS = ("https://api.forge.coreweave.com", "https://api.wandb.ai")  # since wandb 0.31, and before


def mlflow(settings: Section) -> None:
    """The package is there; for a database, what MLflow needs for one."""
    _check_installed("mlflow", "mlflow")
    if settings["tracking_uri"].partition(":")[0].partition("+")[0] in DATABASES:
        for package in ("sqlalchemy", "alembic"):
            _check_installed("mlflow", package)


def wandb(settings: Section) -> None:
    """The package is there, and a key for its server, which it would ask for."""
    _check_installed("wandb", "wandb")
    own = os.environ.get("WANDB_BASE_URL")
    servers = [own] if own else WANDB_SERVERS
    if settings["mode"] == "online" and not any(_has_key(urlsplit(server).hostname or "") for server in servers):
        raise UserError(
            f"logger.wandb.mode=online: there is no key for {servers[0]}. Run wandb login, or set WANDB_API_KEY."
        )


def _check_installed(logger: str, package: str) -> None:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:  # a folder of that name, such as wandb/, is no package
        raise UserError(f"logger={logger} requires the package {package}. Run pip install 'litmus[{logger}]'.")


def _has_key(host: str) -> bool:
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    with suppress(OSError, netrc.NetrcParseError):
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    return False
