"""Tiny published models, and ways to damage them."""

import functools
import hashlib
import json
import pathlib
import shutil
import zipfile

import tf_disentangle as td
from tf_disentangle import latents, networks, objectives, priors

MLP = {
    "encoder": functools.partial(networks.mlp_encoder, width=8),
    "decoder": functools.partial(networks.mlp_decoder, width=8),
}
SETTINGS = {"steps": 1, "batch_size": 8, "validation_size": 16}
SMALL = {"explorer": False, "onnx": False}


def joint(number):
    return latents.JointLatents(
        latents.GaussianLatents(number), latents.CategoricalLatents([3])
    )


def build(kind, shape=(64, 64, 1)):
    """A model of each kind, a few thousand weights."""
    if kind == "chyvae":
        space = latents.GaussianLatents(4, "full", priors.InverseWishartPrior(20))
        options = {"latents": space, "objective": objectives.chyvae()}
        return td.models.build_vae(shape, 0, **options, **MLP)
    if kind == "joint_vae":
        options = {"latents": joint(3), "objective": objectives.joint_vae()}
        return td.models.build_vae(shape, 1, **options, **MLP)
    critic = functools.partial(networks.mlp_encoder, width=4)
    if kind == "factor_vae":
        options = {"latents": 4, "objective": objectives.factor_vae(gamma=5.0)}
        small = functools.partial(networks.mlp_critic, width=8, num_layers=2)
        return td.models.build_vae(shape, 2, **options, critic=small, **MLP)
    options = {"latents": joint(2), "num_noise": 2, "critic": critic}
    return td.models.build_infogan(shape, 3, **options, **MLP)


def untrained(kind, data):
    """A run in memory that has not begun."""
    return td.train(build(kind), data, dry_run=True, **SETTINGS)


def write_sums(folder):
    """SHA256SUMS as whoever tampers would write it."""
    lines = [
        f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(folder)}\n"
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != "SHA256SUMS"
    ]
    (folder / "SHA256SUMS").write_text("".join(lines))


def copied(folder, target):
    return pathlib.Path(shutil.copytree(folder, target))


def change_record(folder, change):
    """Changes config.json by a function of its object, with a right checksum."""
    path = folder / "config.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    write_sums(folder)
    return folder


def zipped(folder, target, extra=()):
    """A .zip of a folder, and of further members (ZipInfo or name, content)."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, f"model/{path.relative_to(folder)}")
        for member, content in extra:
            archive.writestr(member, content)
    return target
