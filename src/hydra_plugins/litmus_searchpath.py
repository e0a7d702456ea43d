"""Adds the configurations of plugins to Hydra's search path; see `litmus.config.plugins`."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from litmus.config.plugins import installed


class LitmusSearchPath(SearchPathPlugin):
    """Behind litmus' own, which therefore wins; `litmus.config.plugin_check` refuses the same name twice."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for plugin in installed():
            search_path.append(plugin.name, f"file://{plugin.conf}")
