"""Configuration files of tests: written to a folder, and read with their faults."""

from pathlib import Path

import pytest

from gateway.config_file import ConfigError, load_config

KEY = "K" * 64
OTHER_KEY = "L" * 64
ALICE = '[[accounts]]\nname = "alice"\n'
SECRET = "a-secret-that-must-not-be-shown"


def write(folder: Path, text: str, name: str = "gate.toml") -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(folder: Path, text: str) -> list[str]:
    """Return the faults of a configuration, with file names short."""
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, text))
    assert SECRET not in str(caught.value)
    return [error.replace(f"{folder}/", "") for error in caught.value.errors]
