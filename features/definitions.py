"""What `feast apply` registers; run in this folder with KIZASHI_CONFIG (a file) and KIZASHI_HOME (the workspace) set.

Feast collects the objects that it finds as names of this module. They are made by the same function that the product
itself applies, so the two can never differ.
"""

import os
from pathlib import Path

from core.errors import ConfigurationError
from core.settings import load_settings
from core.storage import Workspace
from features.repository import feature_repository

_configuration = os.environ.get("KIZASHI_CONFIG")
if not _configuration:
    raise ConfigurationError(
        "KIZASHI_CONFIG is not set", "the path of a configuration", "export KIZASHI_CONFIG=/path/to/conf/demo.yaml"
    )
_settings = load_settings(Path(_configuration))
_repository = feature_repository(_settings, Workspace(_settings.home))
globals().update({entity.name: entity for entity in _repository.entities})
globals().update({f"{view.name}_view": view for view in _repository.views})
globals().update({service.name: service for service in _repository.services})
