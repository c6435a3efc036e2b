"""The yardstick for FactorVAE: its loop, bare, in plain PyTorch float32.

As torch_reference.py, whose networks these are, with a diagonal posterior, the critic
of 6 x 1000 and its Adam. The critic's weights take no gradient in the VAE's half, and
the codes none in the critic's. Run by train_step.py: arguments are the steps per line,
the threads, the clock and the critic's updates per step.
"""

import itertools
import sys

import torch
import torch_reference
from torch import nn
from torch.nn import functional as F

LATENTS, GAMMA = torch_reference.LATENTS, 35.0


def critic():
    """Returns the critic of gin/networks/critic.gin."""
    sizes = [LATENTS, *[1000] * 6]
    layers = [
        layer
        for i, o in itertools.pairwise(sizes)
        for layer in (nn.Linear(i, o), nn.LeakyReLU(0.2))
    ]
    return nn.Sequential(*layers, nn.Linear(1000, 1))


def permuted(z):
    """Returns z [B, L] with each column permuted by itself."""
    return torch.gather(z, 0, torch.rand_like(z).argsort(0))


def main():
    """Trains an interval for each line that comes in."""
    updates = int(sys.argv[4])
    torch.manual_seed(0)
    vae, discriminator = torch_reference.VAE(2 * LATENTS), critic()
    optimizer = torch.optim.Adam(vae.parameters(), 1e-4)
    betas = (0.5, 0.9)
    critic_optimizer = torch.optim.Adam(discriminator.parameters(), 1e-4, betas)

    def step(images):
        mean, log_variance = vae.encoder(images).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        cross_entropy = F.binary_cross_entropy_with_logits(
            vae.decoder(z), images, reduction="none"
        )
        discriminator.requires_grad_(False)
        loss = (cross_entropy.sum((1, 2, 3)) + kl).mean()
        loss = loss + GAMMA * discriminator(z).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        discriminator.requires_grad_(True)
        z = z.detach()
        for _ in range(updates):
            of_codes = F.softplus(-discriminator(z)).mean()
            of_others = F.softplus(discriminator(permuted(z))).mean()
            critic_optimizer.zero_grad(set_to_none=True)
            (0.5 * (of_codes + of_others)).backward()
            critic_optimizer.step()

    torch_reference.take_turns(step)


if __name__ == "__main__":
    main()
