"""The artifacts of the small W&B server: each content is stored once, for all runs that log it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Artifact:
    """One version of an artifact.

    Attributes:
        created: the variables of the client's request.
        runs: the runs that logged it.
        committed: whether its upload is complete.
    """

    created: dict[str, Any]
    runs: list[str] = field(default_factory=list)
    committed: bool = False


class Artifacts:
    """All artifacts of a server."""

    def __init__(self) -> None:
        self.by_digest: dict[str, Artifact] = {}

    def answer(self, operation: str, variables: dict[str, Any], address: str) -> dict[str, Any] | None:
        """The answer to a GraphQL operation on artifacts; None for other operations."""
        request = variables.get("input", variables)
        if operation == "ArtifactType":
            kinds = [artifact.created["artifactTypeName"] for artifact in self.by_digest.values()]
            return {"project": {"artifact": {"artifactType": {"name": kinds[0]}} if kinds else None}}
        if operation == "CreateArtifact":
            artifact = self.by_digest.setdefault(request["digest"], Artifact(request))
            artifact.runs.append(request["runName"])
            state = "COMMITTED" if artifact.committed else "PENDING"
            content = {"id": request["digest"], "state": state, "artifactSequence": {"latestArtifact": None}}
            return {"createArtifact": {"artifact": content}}
        if operation == "CreateArtifactManifest":
            url = f"{address}/upload/artifacts/{request['name']}"
            file = {"id": "manifest", "uploadUrl": url, "uploadHeaders": []}
            return {"createArtifactManifest": {"artifactManifest": {"id": "manifest", "file": file}}}
        if operation == "CreateArtifactFiles":
            nodes = [_file(file, address) for file in request["artifactFiles"]]
            return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}
        if operation == "CommitArtifact":
            self.by_digest[request["artifactID"]].committed = True
            return {"commitArtifact": {"artifact": {"id": request["artifactID"], "digest": request["artifactID"]}}}
        if operation == "ArtifactByID":
            return {"artifact": _described(self.by_digest[request["id"]])}
        return None


def _file(file: dict[str, Any], address: str) -> dict[str, Any]:
    return {
        "storagePath": f"artifacts/{file['name']}",
        "uploadUrl": f"{address}/upload/artifacts/{file['name']}",
        "uploadHeaders": [],
        "uploadMultipartUrls": None,
        "artifact": {"id": file["artifactID"]},
    }


def _described(artifact: Artifact) -> dict[str, Any]:
    project = {"id": "project", "internalId": "1", "name": "project", "entity": {"name": "team"}}
    collection = {
        "__typename": "ArtifactSequence",
        "name": artifact.created["artifactCollectionName"],
        "project": project,
    }
    return {
        "__typename": "Artifact",
        "id": artifact.created["digest"],
        "artifactSequence": collection,
        "versionIndex": 0,
        "artifactType": {"name": artifact.created["artifactTypeName"]},
        "description": None,
        "metadata": "{}",
        "ttlDurationSeconds": -2,
        "ttlIsInherited": True,
        "tags": [],
        "historyStep": None,
        "state": "COMMITTED",
        "size": 1,
        "digest": artifact.created["digest"],
        "digestAlgorithm": None,
        "commitHash": None,
        "fileCount": 1,
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": None,
        "aliases": [],
    }
