"""What TensorBoard reads of a run: the events' content, read by TensorBoard itself."""

import dataclasses
import json
import resource

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import metadata

import tf_disentangle
from tests.training import small
from tf_disentangle import visualization
from tf_disentangle.metrics import METRICS
from tf_disentangle.objectives import LinearSchedule, beta_vae
from tf_disentangle.training import Intervals
from tf_disentangle.training.projector import write_points, write_projector
from tf_disentangle.training.tensorboard import TensorBoard, cut, settings, tag_of

EVERY_2 = Intervals(log=2, evaluate=2, save=2, pictures=0, score=2)
KEPT = {"tensors": 0}


def mig(dataset, encode):
    return METRICS["mig"].on_data(dataset, encode, num_train=60, progress=False)


def model(shape, seed):
    objective = beta_vae(beta=LinearSchedule(0.0, 4.0, steps=8))
    return small.narrow(shape, seed, objective=objective)


def run(data, output, steps, **options):
    options = {"metrics": [mig], "intervals": EVERY_2, "model": model, **options}
    return small.run(data, output, steps, **options)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A run with everything, drawn too."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    return run(data, folder, 6, do=tf_disentangle.train)


def events(path):
    """Returns {tag: {step: value}} of one of TensorBoard's runs."""
    found = EventAccumulator(str(path), size_guidance=KEPT)
    found.Reload()
    return {
        tag: {e.step: tf.make_ndarray(e.tensor_proto) for e in found.Tensors(tag)}
        for tag in found.Tags()["tensors"]
    }


def counts(path):
    """Returns how many events there are of each (tag, step)."""
    found = EventAccumulator(str(path), size_guidance=KEPT)
    found.Reload()
    steps = [
        (tag, event.step)
        for tag in found.Tags()["tensors"]
        for event in found.Tensors(tag)
    ]
    return {key: steps.count(key) for key in steps}


def plugin_data(path, tag, plugin):
    found = EventAccumulator(str(path))
    found.Reload()
    return found.SummaryMetadata(tag).plugin_data.content, plugin


class TestRunsAndTags:
    def test_the_run_has_its_folders_name(self, trained):
        folder = trained.folder.path
        parts = {p.parent.relative_to(folder) for p in folder.rglob("*tfevents*")}
        assert {str(p) for p in parts} == {".", "validation", "scores"}

    def test_every_number_of_the_rows_is_there_under_its_role(self, trained):
        folder = trained.folder.path
        train, held_out = events(folder), events(folder / "validation")
        terms, scheduled = trained.model.row_names, trained.model.scheduled_names
        assert scheduled == ("beta",)
        for row in trained.history:
            if "scores" in row:
                continue
            for name, value in row.items():
                if name in ("step", "wall_time", "kl_per_latent"):
                    continue
                where = held_out if name.startswith("val_") else train
                tag = tag_of(name, terms, scheduled)
                assert where[tag][row["step"]] == np.float32(value), name
        for row in trained.history:
            for d, value in enumerate(row.get("kl_per_latent", ())):
                assert held_out[f"per_latent_kl/z{d}"][row["step"]] == np.float32(value)

    def test_training_and_validation_share_charts_and_the_loss_is_first(self, trained):
        folder = trained.folder.path
        train, held_out = events(folder), events(folder / "validation")
        shared = set(train) & set(held_out)
        assert {"loss", "loss_terms/reconstruction", "schedules/beta"} <= shared
        groups = {tag.split("/")[0] for tag in [*train, *held_out]}
        # Shown elsewhere.
        groups -= {"configuration", "model_card", "custom_scalars__config__"}
        assert sorted(groups)[0] == "loss"

    @pytest.mark.parametrize(
        ("name", "tag"),
        [
            ("loss", "loss"),
            ("kl_term", "loss_terms/kl_term"),
            ("val_kl_term", "loss_terms/kl_term"),
            ("beta", "schedules/beta"),
            ("val_total_correlation", "posterior/total_correlation"),
            ("images_per_second", "speed/images_per_second"),
            ("my_callbacks_number", "others/my_callbacks_number"),
        ],
    )
    def test_tags(self, name, tag):
        assert tag_of(name, ["loss", "kl_term", "beta"], ["beta"]) == tag


class TestWhatElseIsThere:
    def test_scores_stand_beside_the_settings_for_the_hparams_tab(self, trained):
        folder = trained.folder.path / "scores"
        found = events(folder)
        tag = metadata.SESSION_START_INFO_TAG
        assert set(found) == {"scores/mig", tag}  # No other column in the tab.
        assert set(found["scores/mig"]) == {2, 4, 6}
        last = np.float32(trained.scores["mig"].score)
        assert found["scores/mig"][6] == last
        content, _ = plugin_data(folder, tag, "hparams")
        info = metadata.parse_session_start_info_plugin_data(content)
        assert info.group_name == f"{trained.folder.path.parent.name}/mine"
        assert info.hparams["batch_size"].number_value == 8
        assert info.hparams["objective.kl_term.beta.end"].number_value == 4.0
        assert info.hparams["objective"].string_value == "beta_vae"
        assert info.hparams["latents.num_latents"].number_value == 10
        assert info.hparams["data.num_images"].number_value == 80
        assert info.hparams["optimizers.optimizer"].string_value == "Adam"
        rate = info.hparams["optimizers.optimizer.learning_rate"]
        assert rate.number_value == 1e-4
        assert not any("kernel" in name for name in info.hparams)

    def test_codes_are_distributed_as_the_model_encodes(self, trained):
        images = trained.data.images()[trained.batches.held_out]
        codes = trained.encode(images)
        found = events(trained.folder.path / "validation")
        for d, values in enumerate(codes.T):
            histogram = found[f"per_latent_codes/z{d}"][6]  # [(left, right, count)]
            assert histogram[:, 2].sum() == len(images)
            assert histogram[0, 0] == pytest.approx(values.min(), rel=1e-5)
            assert histogram[-1, 1] == pytest.approx(values.max(), rel=1e-5)

    def test_the_layout_begins_with_the_loss(self, trained):
        raw = events(trained.folder.path)["custom_scalars__config__"][0]
        layout = layout_pb2.Layout.FromString(raw.item())
        titles = [category.title for category in layout.category]
        assert titles[0] == "loss" and titles[-1] == "scores"
        charts = [chart.title for chart in layout.category[1].chart]
        assert charts == ["elbo", "reconstruction", "kl", "kl_term"]

    def test_the_configuration_is_a_table_or_gins_text(self, trained, tmp_path):
        text = events(trained.folder.path)["configuration"][0].item().decode()
        assert "| objective.kl_term.beta.end | 4.0 |" in text
        board = TensorBoard(tmp_path, trained.model)
        board.begin(0, trained._loop.description, "train.steps = 6\n")
        board.close()
        text = events(tmp_path)["configuration"][0].item().decode()
        assert text == "    train.steps = 6\n"

    def test_the_model_card_is_a_text_of_the_trained_run(self, trained):
        (card,) = events(trained.folder.path)["model_card"].values()
        text = card.item().decode()
        assert text.startswith("# mine\n")
        assert "trained on CorrelatedEllipses for 6 of 6 steps" in text
        score = trained.scores["mig"].score
        assert f"| mig | {score:.4g} |" in text
        assert "| model.objective.kl_term.beta.end | 4 |" in text
        assert "## Latents" in text
        # Nothing of a server: the run was not exported.
        assert "## Signatures" not in text and "Exported" not in text

    def test_kl_over_time_is_a_picture(self, trained):
        encoded = events(trained.folder.path)["pictures/per_latent_kl"][6][2]
        picture = tf.io.decode_png(encoded).numpy()
        rows = [r for r in trained.history if "kl_per_latent" in r]
        expected = visualization.over_time(
            [row["kl_per_latent"] for row in rows],
            steps=[row["step"] for row in rows],
            names=[f"z{d}" for d in range(10)],
            title="KL per latent, in nats",
        )
        np.testing.assert_array_equal(picture, visualization.pixels(expected))


class TestProjector:
    def test_points_have_their_codes_images_and_factors(self, trained):
        folder, data = trained.folder.path, trained.data
        codes = np.loadtxt(folder / "projector/codes.tsv", delimiter="\t")
        lines = (folder / "projector/factors.tsv").read_text().splitlines()
        assert lines[0].split("\t") == ["image", *data.factor_names]
        factors = np.array([line.split("\t")[1:] for line in lines[1:]], int)
        sprites = np.array(Image.open(folder / "projector/images.png"))
        assert sprites.shape[:2] == (4 * 64, 4 * 64)  # 16 images
        for n in range(16):
            row, column = divmod(n, 4)
            tile = sprites[64 * row : 64 * (row + 1), 64 * column : 64 * (column + 1)]
            # Drawn from the factors, the image is the one of the sprite and the code.
            image = data.render(factors[n : n + 1])
            np.testing.assert_array_equal(tile, image[0, ..., 0])
            code = trained.encode(image)[0]
            np.testing.assert_allclose(codes[n], code, rtol=1e-4, atol=1e-5)
        config = (folder / "projector_config.pbtxt").read_text()
        assert "projector/codes.tsv" in config and "single_image_dim: 64" in config

    def test_large_images_become_thumbnails_and_one_column_has_no_header(
        self, tmp_path
    ):
        images = np.full((5, 256, 128, 3), 200, np.uint8)
        write_points(tmp_path, np.zeros([5, 2]), images, {})
        sprites = np.array(Image.open(tmp_path / "projector/images.png"))
        assert sprites.shape == (3 * 64, 3 * 32, 3)
        assert (sprites[:64] == 200).all() and (sprites[64:128, 64:] == 0).all()
        table = (tmp_path / "projector/factors.tsv").read_text()
        assert table.splitlines() == ["0", "1", "2", "3", "4"]

    def test_a_factor_called_image_has_its_own_column(self, tmp_path):
        factors = {"image": np.array([7, 8])}
        write_points(tmp_path, np.zeros([2, 2]), None, factors, "codes of mine")
        table = (tmp_path / "projector/factors.tsv").read_text()
        assert table.splitlines() == ["image_number\timage", "0\t7", "1\t8"]
        config = (tmp_path / "projector_config.pbtxt").read_text()
        assert 'tensor_name: "codes of mine"' in config

    @pytest.mark.parametrize(("count", "kind"), [(16, "held-out"), (0, "training")])
    def test_says_which_images_the_points_are_of(
        self, data, trained, tmp_path, count, kind
    ):
        held_out = trained.batches.held_out[:count]
        batches = dataclasses.replace(trained.batches, held_out=held_out)
        write_projector(tmp_path, trained.model, data, batches)
        config = (tmp_path / "projector_config.pbtxt").read_text()
        assert f'tensor_name: "codes of {kind} images"' in config


class TestResuming:
    def test_events_are_those_of_the_uninterrupted_run_each_once(
        self, data, trained, tmp_path
    ):
        folder = tmp_path / "mine"
        first = run(data, folder, 4, diagnosed=True)
        # What a killed process leaves: events after the checkpoint, and half of one.
        board = TensorBoard(folder, first.model)
        board.write_row(6, {"loss": 9.0, "val_loss": 9.0})
        board.close()
        newest = max(folder.glob("*tfevents*"), key=lambda p: p.stat().st_mtime_ns)
        with open(newest, "ab") as file:
            file.write(b"\x80\x00\x00\x00half")
        run(data, folder, 6, do=tf_disentangle.train)
        for part in ("", "validation", "scores"):
            whole = trained.folder.path / part
            assert set(counts(folder / part).values()) == {1}
            assert set(counts(folder / part)) == set(counts(whole)), part
            got, expected = events(folder / part), events(whole)
            for tag in got:
                if tag.startswith(("loss", "per_latent", "posterior", "scores/")):
                    for step, value in got[tag].items():
                        np.testing.assert_array_equal(value, expected[tag][step])
        description = json.loads((folder / "run.json").read_text())
        content, _ = plugin_data(
            folder / "scores", metadata.SESSION_START_INFO_TAG, "hparams"
        )
        info = metadata.parse_session_start_info_plugin_data(content)
        assert info.hparams["steps"].number_value == 6
        assert settings(description)["steps"] == 6

    def test_events_are_not_lost_or_doubled_if_cutting_was_interrupted(
        self, trained, tmp_path
    ):
        board = TensorBoard(tmp_path, trained.model)
        for step in (2, 4):
            board.write_row(step, {"loss": float(step)})
        board.close()
        (old,) = tmp_path.glob("*tfevents*")
        content = old.read_bytes()
        cut(tmp_path, 4)
        old.write_bytes(content)  # Killed before the old file was removed.
        cut(tmp_path, 4)
        assert counts(tmp_path) == {("loss", 2): 1, ("loss", 4): 1}
        cut(tmp_path, 3)
        assert events(tmp_path) == {"loss": {2: 2.0}}

    def test_a_run_that_goes_on_has_one_model_card(self, trained, tmp_path):
        for step in (2, 4, 4):
            board = TensorBoard(tmp_path, trained.model)
            board.begin(step, trained._loop.description, "")
            board.write_card(step, f"of step {step}")
            board.close()
        ((step, text),) = events(tmp_path)["model_card"].items()
        assert (step, text.item()) == (4, b"of step 4")
        assert counts(tmp_path)["model_card", 4] == 1

    def test_a_finished_run_started_again_adds_nothing(self, data, tmp_path):
        run(data, tmp_path, 2)
        before = counts(tmp_path / "scores"), counts(tmp_path)
        run(data, tmp_path, 2)
        assert (counts(tmp_path / "scores"), counts(tmp_path)) == before

    def test_scores_that_a_killed_process_did_not_write_are_written(
        self, data, tmp_path
    ):
        run(data, tmp_path, 2)
        before = events(tmp_path / "scores")["scores/mig"]
        for path in (tmp_path / "scores").glob("*tfevents*"):
            path.unlink()  # The row was there first.
        run(data, tmp_path, 2)
        assert events(tmp_path / "scores")["scores/mig"] == before


class TestOverTime:
    def test_colours_are_those_of_the_values_at_their_time(self):
        values = np.array([[0.0, 2.0], [1.0, 0.0]])
        figure = visualization.over_time(values, steps=[10, 20], names=["z0", "z1"])
        (axes,) = figure.axes
        (image,) = axes.images
        shown = np.asarray(image.get_array())
        np.testing.assert_array_equal(shown, values.T.repeat(210, axis=1))
        assert image.get_clim() == (-2, 2)
        assert [text.get_text() for text in axes.texts] == [" 1.00", " 0.00"]
        assert [t.get_text() for t in axes.get_yticklabels()] == ["z0", "z1"]

    def test_numbers_below_0_are_named_with_their_colour(self):
        values = np.array([[0.0, 2.0], [-0.001, -4.0]])
        figure = visualization.over_time(values, steps=[10, 20], names=["a", "b"])
        title = figure.get_suptitle()
        assert title == "from -4 (dark blue) over 0 (white) to 4 (dark red)"
        texts = [text.get_text() for text in figure.axes[0].texts]
        assert texts == [" 0.00", " -4.00"]

    @pytest.mark.parametrize("values", [[], [[np.nan, 1.0]], [[1.0]], [[1.0] * 2] * 2])
    def test_refuses_other_values(self, values):
        with pytest.raises(ValueError, match="values must"):
            visualization.over_time(values, steps=[1], names=["z0", "z1"])


def test_a_full_disk_while_events_are_written_is_explained(
    trained, tmp_path, monkeypatch
):
    """A limit on file sizes stands for the full disk: the kernel refuses the same."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    write = TensorBoard.write_row

    def noisy(self, step, row):
        noise = np.random.default_rng(step).integers(0, 256, (300, 300, 3), np.uint8)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
        self.write_pictures(step, {"noise": noise})
        write(self, step, row)

    monkeypatch.setattr(TensorBoard, "write_row", noisy)
    try:
        with pytest.raises(ValueError, match=r"be writable.*: File too large") as error:
            run(trained.data, tmp_path / "full", 2, metrics=[])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "Free some space or choose another folder." in str(error.value)
    # TensorFlow's own summaries work on, which it sent to the broken file otherwise.
    assert not tf.summary.scalar("after", 1.0, step=1)
