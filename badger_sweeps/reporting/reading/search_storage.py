"""Find the studies of searches in folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from optuna.storages import BaseStorage
from sqlalchemy.exc import SQLAlchemyError
from yaml import YAMLError

from badger_sweeps.configuration import files
from badger_sweeps.core.addresses import without_passwords
from badger_sweeps.core.errors import UsageError
from badger_sweeps.search.storage import JOURNAL, StorageAddress

MULTIRUN = "multirun.yaml"
"""What a search leaves in its folder: its configuration."""
CONFIRMATION = "confirmation"
"""The folder, and the end of the name, of the study that confirms another one."""
assert files.NAME  # importing it registered the resolvers that configurations use


class UnreadableError(UsageError):
    """A study that is not there or does not answer; the message is one line."""


@dataclass(frozen=True)
class SearchLocation:
    """Where a study is, found without opening it.

    Attributes:
        folder: the search's.
        config: of the search; empty where there is none.
    """

    folder: Path
    config: DictConfig

    @classmethod
    def of(cls, folder: Path) -> SearchLocation | None:
        """The study that a folder holds; None if it holds none."""
        config = _config(folder / MULTIRUN)
        ours = str(_select(config, "hydra.sweeper._target_")).endswith(".BadgerSweeper")
        if not ours and not (folder / JOURNAL).exists():
            return None
        return cls(folder, config if ours else DictConfig({}))

    @property
    def place(self) -> StorageAddress:
        """The storage."""
        return StorageAddress.parse(self.get("hydra.sweeper.storage"), self.folder)

    @property
    def names(self) -> list[str]:
        """What the study may be called: as it was told, or as its folder is or was."""
        folder = self.get("hydra.sweep.dir")
        told = self.get("hydra.sweeper.study_name")
        return [str(name) for name in (told, folder and Path(folder).name, self.folder.resolve().name) if name]

    def get(self, key: str) -> Any:
        """A value of the configuration; None if it is not there, or cannot be known any more."""
        return _select(self.config, key)

    def open(self) -> tuple[BaseStorage, str]:
        """The storage, and the study's name in it.

        Raises:
            UnreadableError: it is not there.
        """
        try:
            place = self.place
            if place.file is not None and not place.file.exists():  # opening it would make it
                raise UnreadableError(f"its study must be in {place.address}; found nothing there")
            storage = place.open()
            known = [study.study_name for study in storage.get_all_studies()]
        except (UsageError, SQLAlchemyError, OSError) as error:
            raise UnreadableError(without_passwords(str(error)).splitlines()[0]) from None
        found = [name for name in self.names if name in known]
        if not found and place.file == (self.folder / JOURNAL).absolute():  # a journal of its own, moved elsewhere
            found = [name for name in known if not name.endswith(f" {CONFIRMATION}")]
        if not found:
            raise UnreadableError(f"its study must be in {place.address}; found none called {self.names[0]!r}")
        return storage, found[0]


def find(folder: Path) -> list[SearchLocation]:
    """The searches in a folder and below it."""
    folders = {path.parent for name in (JOURNAL, MULTIRUN) for path in folder.rglob(name)}
    return [source for source in map(SearchLocation.of, sorted(folders)) if source is not None]


def _config(path: Path) -> DictConfig:
    try:
        loaded = OmegaConf.load(path)
    except (OSError, YAMLError, OmegaConfBaseException):
        return DictConfig({})
    return loaded if isinstance(loaded, DictConfig) else DictConfig({})


def _select(config: DictConfig, key: str) -> Any:
    try:
        return OmegaConf.select(config, key)
    except OmegaConfBaseException:  # an interpolation that nothing here resolves
        return None
