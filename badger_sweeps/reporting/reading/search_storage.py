"""Finds recorded searches in folders, and opens their storages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from optuna.storages import BaseStorage

from badger_sweeps.configuration import files
from badger_sweeps.configuration.recorded import MULTIRUN, recorded_multirun
from badger_sweeps.core.addresses import without_passwords
from badger_sweeps.core.errors import UsageError
from badger_sweeps.search.storage import JOURNAL, StorageAddress, storage_errors

CONFIRMATION = "confirmation"
"""The folder of a search's confirmation, and the end of its name."""
assert files.MAIN_CONFIG  # its import registers the resolvers of the configurations


class UnreadableError(UsageError):
    """A search whose storage does not exist or does not answer; the message is one line."""


@dataclass(frozen=True)
class SearchLocation:
    """Where a search is stored, as far as it can be known without opening the storage.

    Attributes:
        folder: the search's folder.
        config: the search's configuration; empty where there is none.
    """

    folder: Path
    config: DictConfig

    @classmethod
    def of(cls, folder: Path) -> SearchLocation | None:
        """The location of the search in a folder; None if the folder has none."""
        try:
            config = recorded_multirun(folder)
        except (UsageError, OSError):
            config = DictConfig({})
        of_search = str(_select(config, "hydra.sweeper._target_")).endswith(".BadgerSweeper")
        if not of_search and not (folder / JOURNAL).exists():
            return None
        return cls(folder, config if of_search else DictConfig({}))

    @property
    def address(self) -> StorageAddress:
        """The address of the storage."""
        return StorageAddress.parse(self.get("hydra.sweeper.storage"), self.folder)

    @property
    def names(self) -> list[str]:
        """The possible names of the search: the configured one, and the names of its folder, then and now."""
        folder = self.get("hydra.sweep.dir")
        configured = self.get("hydra.sweeper.study_name")
        return [str(name) for name in (configured, folder and Path(folder).name, self.folder.resolve().name) if name]

    def get(self, key: str) -> Any:
        """A value of the configuration; None if it is absent or cannot be resolved."""
        return _select(self.config, key)

    def open(self) -> tuple[BaseStorage, str]:
        """Open the storage.

        Returns:
            The storage, and the search's name in it.

        Raises:
            UnreadableError: the storage does not exist or does not answer, or does not have the search.
        """
        try:
            address = self.address
            if address.file is not None and not address.file.exists():  # opening would create it
                raise UnreadableError(f"the search must be in {address.text}; found nothing there")
            storage = address.open()
            known = [study.study_name for study in storage.get_all_studies()]
        except (UsageError, OSError) as error:
            raise _unreadable(error) from None
        except storage_errors() as error:
            raise _unreadable(error) from None
        except (AssertionError, LookupError, ValueError, TypeError) as error:  # Optuna, on a damaged journal
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UnreadableError(f"the search must be in {address.text}; found a damaged file ({reason})") from error
        found = [name for name in self.names if name in known]
        if not found and address.file == (self.folder / JOURNAL).absolute():  # the folder was moved with its journal
            found = [name for name in known if not name.endswith(f" {CONFIRMATION}")]
        if not found:
            raise UnreadableError(f"the search must be in {address.text}; found none called {self.names[0]!r}")
        return storage, found[0]


def _unreadable(error: Exception) -> UnreadableError:
    return UnreadableError(without_passwords(str(error)).splitlines()[0])


def find(folder: Path) -> list[SearchLocation]:
    """The locations of the searches in a folder and below it."""
    folders = {path.parent for name in (JOURNAL, MULTIRUN) for path in folder.rglob(name)}
    return [location for location in map(SearchLocation.of, sorted(folders)) if location is not None]


def _select(config: DictConfig, key: str) -> Any:
    try:
        return OmegaConf.select(config, key)
    except OmegaConfBaseException:  # an interpolation that cannot be resolved here
        return None
