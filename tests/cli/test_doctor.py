"""`tf_disentangle doctor`: what is here, and what to do about it."""

import os

import pytest

from tf_disentangle.cli import doctor
from tf_disentangle.cli.main import main


def text_of(lines):
    return "\n".join(f"{label}: {text}" for label, text in lines)


def test_it_shows_versions_devices_and_the_cache(capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    for words in ("tensorflow ", "keras ", "Processor", "GPU", "Threads", "Gin files"):
        assert words in text
    assert os.environ["TF_DISENTANGLE_CACHE"] in text
    assert text.endswith("Everything works.\n")
    assert "! " not in text


def test_what_is_to_be_done_is_marked_counted_and_told_by_the_exit_code(
    monkeypatch, capsys
):
    """Also where TensorFlow cannot be imported: it is not needed to say so."""

    def fails():
        raise ImportError("libcudart.so.12: cannot open shared object file\nmore")

    monkeypatch.setattr(doctor.startup, "import_tensorflow", fails)
    monkeypatch.setattr(doctor.os, "access", lambda *a: False)
    assert main(["doctor"]) == 4
    text = capsys.readouterr().out
    marked = [line for line in text.splitlines() if line.startswith("! ")]
    assert len(marked) == 2
    assert "cannot be imported: libcudart.so.12: cannot open" in marked[0]
    assert "TF_DISENTANGLE_CACHE" in marked[1]
    assert text.endswith("To do: 2, marked with !\n")


def test_extras_that_are_missing_are_told_with_their_use():
    text = text_of(doctor.extras({"study": False, "serving": True}))
    assert "Extra study: not installed: pip install '.[study]' (many runs" in text
    assert "Extra serving: installed (bin/serve)" in text


def test_an_explorer_without_its_runtime_is_told(monkeypatch):
    from tf_disentangle.explorer import runtime

    def nowhere():
        raise runtime.RuntimeMissingError("it is nowhere")

    monkeypatch.setattr(runtime, "find", nowhere)
    assert "through a local server: it is nowhere" in text_of(doctor.explorer())


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"avx", "avx2"}, "Processor: AVX, AVX2\n"),
        ({"avx", "avx2", "avx512f"}, "AVX-512"),
        ({"asimd"}, "Processor: NEON"),
        ({"sse"}, "no AVX, which TensorFlow needs"),
        (None, "not known on this system"),
    ],
)
def test_instruction_sets_are_named(flags, words):
    assert words in text_of(doctor.processor(flags, False))


def test_bfloat16_is_advised_only_where_it_is_quick():
    assert "bfloat16: emulated here: keep" in text_of(doctor.processor({"avx"}, False))
    assert "'mixed_bfloat16' is fast" in text_of(doctor.processor({"avx"}, True))


def test_without_avx_it_says_so_and_does_not_import_tensorflow(monkeypatch, capsys):
    """The import would end the process, and `doctor` with it."""
    monkeypatch.setattr(doctor, "cpu_flags", lambda: {"fpu", "sse"})
    monkeypatch.setattr(doctor.startup, "import_tensorflow", lambda: pytest.fail())
    assert main(["doctor"]) == 4
    text = capsys.readouterr().out
    assert "no AVX, which TensorFlow needs" in text
    assert "bfloat16" not in text
    assert text.endswith("To do: 1, marked with !\n")


def test_instruction_sets_are_read_from_linuxs_list(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("processor : 0\nflags\t\t: fpu avx avx2\nbugs : none\n")
    assert doctor.cpu_flags(str(file)) == {"fpu", "avx", "avx2"}
    assert doctor.cpu_flags(str(tmp_path / "nothing")) is None


@pytest.mark.parametrize(
    ("chosen", "advised"), [("", False), ("1", True), ("8", False), ("1,2", False)]
)
def test_few_threads_are_told(chosen, advised):
    text = text_of(doctor.threads(8, chosen))
    assert ("unset OMP_NUM_THREADS" in text) == advised


def test_without_a_gpu_it_says_how_to_get_one():
    text = text_of(doctor.gpus([]))
    assert "help gpu" in text
    assert "pip install '.[gpu]'" in text
    assert text_of(doctor.gpus(["/physical_device:GPU:0"])).startswith("GPU: /phys")


def test_a_package_that_is_missing_is_told():
    lines = doctor.packages({"keras": "3.15", "h5py": None, "tf_disentangle": None})
    assert text_of(lines).splitlines() == [
        "keras: 3.15",
        "h5py: ! missing: pip install .",
        "tf_disentangle: a source checkout",
    ]


def test_a_cache_that_is_full_or_closed_is_told(tmp_path, monkeypatch):
    (tmp_path / "data").write_bytes(bytes(20_000_000))
    folder = tmp_path / "not" / "there"
    assert "0.00 GB used" in text_of(doctor.cache(folder))
    assert "0.02 GB used" in text_of(doctor.cache(tmp_path))
    monkeypatch.setattr(
        doctor.shutil, "disk_usage", lambda p: type("Usage", (), {"free": 1e9})
    )
    assert "1 GB free\n: little room" in text_of(doctor.cache(tmp_path))
    monkeypatch.setattr(doctor.os, "access", lambda *a: False)
    assert "not writable: set TF_DISENTANGLE_CACHE" in text_of(doctor.cache(folder))
