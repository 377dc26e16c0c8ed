"""What a W&B server does with artifacts: each content once, whoever logs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Artifact:
    """One version of one.

    Attributes:
        created: what the client has said of it.
        runs: those that logged it.
        committed: whether all of it is there.
    """

    created: dict[str, Any]
    runs: list[str] = field(default_factory=list)
    committed: bool = False


class Artifacts:
    """All of a server."""

    def __init__(self) -> None:
        self.by_digest: dict[str, Artifact] = {}

    def answer(self, operation: str, variables: dict[str, Any], address: str) -> dict[str, Any] | None:
        """What a GraphQL operation about artifacts is answered with; None if it is not about them."""
        given = variables.get("input", variables)
        if operation == "ArtifactType":
            kinds = [own.created["artifactTypeName"] for own in self.by_digest.values()]
            return {"project": {"artifact": {"artifactType": {"name": kinds[0]}} if kinds else None}}
        if operation == "CreateArtifact":
            own = self.by_digest.setdefault(given["digest"], Artifact(given))
            own.runs.append(given["runName"])
            state = "COMMITTED" if own.committed else "PENDING"
            artifact = {"id": given["digest"], "state": state, "artifactSequence": {"latestArtifact": None}}
            return {"createArtifact": {"artifact": artifact}}
        if operation == "CreateArtifactManifest":
            url = f"{address}/upload/artifacts/{given['name']}"
            file = {"id": "manifest", "uploadUrl": url, "uploadHeaders": []}
            return {"createArtifactManifest": {"artifactManifest": {"id": "manifest", "file": file}}}
        if operation == "CreateArtifactFiles":
            nodes = [_file(own, address) for own in given["artifactFiles"]]
            return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}
        if operation == "CommitArtifact":
            self.by_digest[given["artifactID"]].committed = True
            return {"commitArtifact": {"artifact": {"id": given["artifactID"], "digest": given["artifactID"]}}}
        if operation == "ArtifactByID":
            return {"artifact": _described(self.by_digest[given["id"]])}
        return None


def _file(given: dict[str, Any], address: str) -> dict[str, Any]:
    return {
        "storagePath": f"artifacts/{given['name']}",
        "uploadUrl": f"{address}/upload/artifacts/{given['name']}",
        "uploadHeaders": [],
        "uploadMultipartUrls": None,
        "artifact": {"id": given["artifactID"]},
    }


def _described(own: Artifact) -> dict[str, Any]:
    project = {"id": "project", "internalId": "1", "name": "project", "entity": {"name": "team"}}
    collection = {"__typename": "ArtifactSequence", "name": own.created["artifactCollectionName"], "project": project}
    return {
        "__typename": "Artifact",
        "id": own.created["digest"],
        "artifactSequence": collection,
        "versionIndex": 0,
        "artifactType": {"name": own.created["artifactTypeName"]},
        "description": None,
        "metadata": "{}",
        "ttlDurationSeconds": -2,
        "ttlIsInherited": True,
        "tags": [],
        "historyStep": None,
        "state": "COMMITTED",
        "size": 1,
        "digest": own.created["digest"],
        "digestAlgorithm": None,
        "commitHash": None,
        "fileCount": 1,
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": None,
        "aliases": [],
    }
