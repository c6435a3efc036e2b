"""The wheel: built, installed beside the TensorFlow that is here, used elsewhere."""

import pathlib
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

from tf_disentangle.explorer import npm

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a copy, since the build leaves folders behind
    for part in ("tf_disentangle", "gin", "docs"):
        shutil.copytree(
            ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__")
        )
    for part in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, source)
    # --no-isolation borrows setuptools from this environment: no download.
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_holds_the_package_and_the_gin_files_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"tf_disentangle", next(t for t in tops if "dist-info" in t)}
    here = {str(p.relative_to(ROOT / "gin")) for p in (ROOT / "gin").rglob("*.gin")}
    prefix = "tf_disentangle/gin_files/"
    there = {n.removeprefix(prefix) for n in names if n.startswith(prefix)}
    assert there == here
    guide = {str(p.relative_to(ROOT / "docs")) for p in ROOT.glob("docs/guide/*.md")}
    prefix = "tf_disentangle/guide/"
    assert guide
    assert guide <= {n.removeprefix(prefix) for n in names if n.startswith(prefix)}
    modules = {str(p.relative_to(ROOT)) for p in ROOT.glob("tf_disentangle/**/*.py")}
    assert modules <= set(names)
    pages = {str(p.relative_to(ROOT)) for p in ROOT.glob("tf_disentangle/**/page/*")}
    assert pages and pages <= set(names)
    models = {str(p.relative_to(ROOT)) for p in ROOT.glob("tf_disentangle/store/*/*/*")}
    assert models and models <= set(names)


def test_wheel_holds_the_explorers_runtime(wheel):
    prefix = "tf_disentangle/explorer/runtime/"
    there = {n.removeprefix(prefix) for n in zipfile.ZipFile(wheel).namelist()}
    files = {f"{name}.gz" for name in npm.CHECKSUMS}
    if not files & there:
        pytest.skip("npm or its registry is not at hand: the wheel was built without")
    assert files | {f"LICENSE.{npm.PACKAGE}"} <= there


def test_installed_command_runs_from_another_directory(wheel, tmp_path):
    """A new environment that sees this one's packages, but not the checkout."""
    target = tmp_path / "site"
    install = ["-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([sys.executable, *install, f"--target={target}", wheel], check=True)
    # -S -P keep out site.py's editable finder and the current directory; with it go
    # the .pth files, by which setuptools gives TFP the distutils of Python 3.12 on.
    borrowed = sysconfig.get_paths()["purelib"]
    code = (
        "import sys; "
        f"sys.path[:0] = [{str(target)!r}, {borrowed!r}]; "
        "import setuptools, tf_disentangle; "
        f"assert tf_disentangle.__file__.startswith({str(target)!r}); "
        "from tf_disentangle.cli.main import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    work = tmp_path / "elsewhere"
    work.mkdir()
    run = [
        *("train", "--gin_file=chyvae.gin", "--output=run"),
        "--gin_param=train.steps=2",
        "--gin_param=train.batch_size=4",
        "--gin_param=train.validation_size=8",
        "--gin_param=train.metrics=[]",
        "--gin_param=CorrelatedEllipses.num_images=40",
    ]
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", code, *run],
        capture_output=True,
        text=True,
        cwd=work,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (work / "run" / "run.json").exists()
    assert (work / "run" / "pictures" / "traversals.png").exists()


def test_console_script_is_declared(wheel):
    archive = zipfile.ZipFile(wheel)
    (entry,) = [n for n in archive.namelist() if n.endswith("entry_points.txt")]
    text = archive.read(entry).decode()
    assert "tf_disentangle = tf_disentangle.cli.main:run" in text
