"""What one would write: a Hydra application that trains one seed in plain eager PyTorch."""

from __future__ import annotations

import csv
from pathlib import Path

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from torch import Tensor, nn

EXPERTS, HIDDEN, MESSAGE, DIMS = 16, 32, 8, 4


class Badger(nn.Module):
    """Experts that share a `GRUCell` and a linear head."""

    def __init__(self, links: int) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(MESSAGE + 1, HIDDEN), nn.Linear(HIDDEN, MESSAGE + DIMS)
        listens = torch.zeros(EXPERTS, EXPERTS)
        for i in range(EXPERTS):
            others = torch.randperm(EXPERTS - 1)[:links]
            listens[i, others + (others >= i)] = 1 / links
        self.register_buffer("adjacency", listens)

    def forward(self, y: Tensor, inner_steps: int) -> Tensor:
        games = len(y)
        h = torch.randn(games * EXPERTS, HIDDEN)
        m, guess = torch.zeros(games, EXPERTS, MESSAGE), torch.zeros_like(y)
        for _ in range(inner_steps):
            error = 3 * (guess - y).square().mean(1)
            x = torch.cat([self.adjacency @ m, error[:, None, None].expand(-1, EXPERTS, 1)], dim=2)
            h = self.cell(x.view(games * EXPERTS, -1), h)
            out = self.head(h).view(games, EXPERTS, -1)
            m, guess = out[..., :MESSAGE], out[..., MESSAGE:].mean(1)
        return 3 * (guess - y).square().mean()


@hydra.main(config_path=None, config_name="eager", version_base="1.3")
def train(config: DictConfig) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    model = Badger(config.links)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
    with (Path(HydraConfig.get().runtime.output_dir) / "history.csv").open("w") as file:
        rows = csv.writer(file)
        for iteration in range(config.iterations):
            loss = model(torch.rand(64, DIMS) * 2 - 1, 20)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            rows.writerow([iteration, loss.item()])


if __name__ == "__main__":
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store("eager", {"seed": 0, "links": 4, "lr": 1e-3, "iterations": 100})
    train()
