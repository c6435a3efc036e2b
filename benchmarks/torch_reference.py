"""The yardstick: the same network trained by a bare loop in plain PyTorch float32.

No data pipeline (random uint8 images in memory, gathered per step), no logging, no
checkpoints; default memory format, eager. Full-covariance posterior, KL to N(0, I),
which costs less than CHyVAE's two KL terms. Run by train_step.py, which talks to it
through pipes: a line in is an interval, a line out its images per second.
"""

import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

BATCH, LATENTS, WIDTH = 50, 10, 128


class VAE(nn.Module):
    """The networks of gin/chyvae.gin."""

    def __init__(self, num_outputs=LATENTS + LATENTS**2):
        super().__init__()
        self.encoder = nn.Sequential(
            *[
                layer
                for i, o in ((1, 32), (32, 32), (32, 64), (64, 64))
                for layer in (nn.Conv2d(i, o, 4, 2, 1), nn.ReLU())
            ],
            nn.Flatten(),
            nn.Linear(1024, WIDTH),
            nn.ReLU(),
            nn.Linear(WIDTH, num_outputs),
        )
        self.decoder = nn.Sequential(
            nn.Linear(LATENTS, WIDTH),
            nn.ReLU(),
            nn.Linear(WIDTH, 1024),
            nn.ReLU(),
            nn.Unflatten(1, (64, 4, 4)),
            *[
                layer
                for i, o in ((64, 64), (64, 32), (32, 32))
                for layer in (nn.ConvTranspose2d(i, o, 4, 2, 1), nn.ReLU())
            ],
            nn.ConvTranspose2d(32, 1, 4, 2, 1),
        )

    def loss(self, images):
        """Returns the mean of reconstruction and KL, nats per image."""
        outputs = self.encoder(images)
        mean, raw = outputs[:, :LATENTS], outputs[:, LATENTS:]
        tril = torch.tril(raw.view(-1, LATENTS, LATENTS), -1)
        diagonal = F.softplus(raw[:, :: LATENTS + 1]) + 1e-4
        tril = tril + torch.diag_embed(diagonal)
        covariance = tril @ tril.mT + 1e-4 * torch.eye(LATENTS)
        factor = torch.linalg.cholesky(covariance)
        z = mean + (factor @ torch.randn(len(images), LATENTS, 1))[..., 0]
        log_det = 2 * factor.diagonal(dim1=1, dim2=2).log().sum(1)
        trace = covariance.diagonal(dim1=1, dim2=2).sum(1)
        kl = 0.5 * (trace + mean.square().sum(1) - LATENTS - log_det)
        logits = self.decoder(z)
        cross_entropy = F.binary_cross_entropy_with_logits(
            logits, images, reduction="none"
        )
        return (cross_entropy.sum((1, 2, 3)) + kl).mean()


def take_turns(step):
    """Trains an interval for each line that comes in; `step` takes a batch."""
    steps, threads = int(sys.argv[1]), int(sys.argv[2])
    clock = time.process_time if sys.argv[3] == "cpu" else time.perf_counter
    torch.set_num_threads(threads)
    data = torch.randint(0, 256, (5000, 1, 64, 64), dtype=torch.uint8)

    def train(num_steps):
        for _ in range(num_steps):
            step(data[torch.randint(0, len(data), (BATCH,))].float() / 255)

    train(5)
    for _ in sys.stdin:
        start = clock()
        train(steps)
        print(steps * BATCH / (clock() - start), flush=True)


def main():
    """Trains a VAE."""
    torch.manual_seed(0)
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)

    def step(images):
        optimizer.zero_grad(set_to_none=True)
        model.loss(images).backward()
        optimizer.step()

    take_turns(step)


if __name__ == "__main__":
    main()
