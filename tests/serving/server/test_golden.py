"""The table of tests/golden/tf_serving.toml, asked of our server and of a real one.

TF_SERVING_URL=http://localhost:8501 asks a real TensorFlow Serving of the models that
golden_models.py writes.
"""

import json
import os
import pathlib
import tomllib

import pytest
import requests

TABLE = pathlib.Path(__file__).parents[2] / "golden" / "tf_serving.toml"
CASES = tomllib.loads(TABLE.read_text())["case"]


def check(url, case):
    """Asks one case of the table; compares parsed JSON, in which NaN equals itself."""
    verb = "get" if "get" in case else "post"
    answer = requests.request(
        verb,
        url + case[verb],
        data=case.get("body"),
        timeout=120,
        allow_redirects=False,
    )
    assert answer.status_code == case["status"], answer.text
    assert answer.headers["content-type"] == "application/json"
    found = json.loads(answer.text)
    if "answer" in case:
        wanted = json.loads(case["answer"])
        assert json.dumps(found, sort_keys=True) == json.dumps(wanted, sort_keys=True)
    else:
        assert set(found) == {"error"}
        assert case["contains"] in found["error"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_ours(served, case):
    check(f"http://127.0.0.1:{served.rest_port}", case)


@pytest.mark.skipif("TF_SERVING_URL" not in os.environ, reason="TF_SERVING_URL not set")
def test_tensorflow_serving():
    failed = []
    for case in CASES:
        try:
            if not case.get("ours"):
                check(os.environ["TF_SERVING_URL"].rstrip("/"), case)
        except AssertionError as error:
            failed.append(f"{case['name']}: {error}")
    assert not failed, "\n".join(failed)


def test_every_case_has_its_source():
    assert len({case["name"] for case in CASES}) == len(CASES)
    for case in CASES:
        assert case["source"]
        assert ("get" in case) != ("post" in case)
        assert ("answer" in case) != ("contains" in case)
