"""What preflight is told beside the settings of the services: how to look, and what people did."""

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import DirectoryPath, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+/?$", description="http://host:port")]


class PreflightSettings(BaseSettings):
    """Read from the environment, prefix PREFLIGHT_."""

    model_config = SettingsConfigDict(
        env_prefix="PREFLIGHT_", frozen=True, hide_input_in_errors=True
    )

    # Of a person who may look: the wallet proves its ledger to operators only.
    operator_tls_directory: DirectoryPath
    alertmanager_url: Url = Field(description="http://host:port")
    # What each backup leaves behind when it has ended well.
    backup_file: Path
    restore_rehearsal_date: date
    baseline_file: Path
