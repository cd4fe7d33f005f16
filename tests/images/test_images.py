"""What is in the images, what is not, and how they run."""

from __future__ import annotations

import os
import re

import httpx
import pytest

from images.engine import CONTAINED, ROOT, container, docker, eventually, inspect, tried

SERVICE, FRONTEND, OPERATOR = (f"etlpipeline/{name}:dev" for name in ("service", "frontend", "operator"))


@pytest.fixture(scope="module")
def service(images):
    with container(SERVICE, *CONTAINED, "--publish=127.0.0.1::8000") as it:
        eventually(lambda: httpx.get(it.url(8000) + "/ready", trust_env=False).is_success)
        yield it


def shell(image, script):
    return docker("run", "--rm", "--entrypoint=sh", image, "-c", script)


def base_of(image):
    argument = "NGINX_IMAGE" if image == FRONTEND else "PYTHON_IMAGE"
    (usual,) = re.findall(rf"^ARG {argument}=(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    base = os.environ.get(argument, usual)
    if tried("image", "inspect", base).returncode:
        docker("pull", base)
    return base


@pytest.mark.parametrize(("image", "most"), [(SERVICE, 90_000_000), (FRONTEND, 1_000_000), (OPERATOR, 170_000_000)])
def test_an_image_adds_little_to_its_base(images, image, most):
    added = inspect(image)["Size"] - inspect(base_of(image))["Size"]

    assert 0 < added < most


@pytest.mark.parametrize(
    ("image", "user"), [(SERVICE, "65532:65532"), (FRONTEND, "101:101"), (OPERATOR, "65532:65532")]
)
def test_an_image_says_what_it_is_and_runs_as_nobody_in_particular(images, image, user):
    config = inspect(image)["Config"]

    assert config["User"] == user
    if image != OPERATOR:  # whose probes are Kubernetes'
        assert config["Healthcheck"]["Test"][0] == "CMD"
    labels = {key.removeprefix("org.opencontainers.image."): text for key, text in config["Labels"].items()}
    assert labels["title"].startswith("EtlPipeline ")
    assert labels["licenses"] == "Apache-2.0"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", labels["version"])
    assert re.fullmatch(r"[0-9a-f]{40}|unknown", labels["revision"])
    assert labels["description"]


def test_what_is_in_a_container_reads_public_addresses_alone_unless_it_is_told_more(images):
    assert "ETL_ALLOWED_SOURCES=public" in inspect(SERVICE)["Config"]["Env"]


@pytest.mark.parametrize("image", [SERVICE, FRONTEND, OPERATOR])
def test_nothing_of_the_build_is_left(images, image):
    folders = "/root/.cache /root/.npm /src /dist /opt/build /tmp/*"
    look = f"command -v gcc cc make git node npm; find {folders} 2>/dev/null; true"

    assert docker("run", "--rm", "--user=0", "--entrypoint=sh", image, "-c", look) == ""


@pytest.mark.parametrize(
    ("image", "lock", "some"),
    [(SERVICE, "run", {"fastapi", "httpx", "msgspec", "uvicorn"}), (OPERATOR, "operator", {"kopf", "kubernetes"})],
)
def test_an_image_has_what_is_locked_and_nothing_else(images, image, lock, some):
    pinned = re.findall(r"^([a-z0-9-]+)==([^ ]+)", (ROOT / f"requirements/{lock}.txt").read_text(), re.MULTILINE)
    locked = {f"{name.replace('-', '_')}-{version}" for name, version in pinned}

    listed = shell(image, "cd /opt/etl/lib/python3*/site-packages && ls -d *.dist-info")

    installed = {name.removesuffix(".dist-info").lower() for name in listed.split()}
    assert {name for name in installed if not name.startswith("etlpipeline-")} <= locked
    assert {name.split("-")[0] for name in installed} >= some


def test_the_operator_is_told_what_is_wrong_with_its_settings_without_a_traceback(images):
    done = tried("run", "--rm", "--read-only", "--env=ETL_PORT=many", OPERATOR)

    assert done.returncode == 1
    assert done.stdout.strip() == "etl-operator: ETL_PORT is 'many'; make it a number up to 65535"


def test_the_code_is_compiled_so_that_a_read_only_root_costs_no_start(images):
    sources, bytecode = (
        shell(SERVICE, f"find /opt/etl/lib -name '{pattern}' | wc -l") for pattern in ("*.py", "*.cpython-311.pyc")
    )

    assert int(sources) == int(bytecode) > 100


def test_the_service_is_well_with_a_read_only_root_and_no_capabilities(service):
    eventually(lambda: service.state["Health"]["Status"] == "healthy")

    assert service.execute("id", "-u") == "65532"
    assert "Read-only file system" in tried("exec", "--user=0", service.name, "touch", "/opt/etl/new").stdout


def test_the_service_is_the_command_line_too(service):
    service.execute("etl", "run")

    (run,) = httpx.get(service.url(8000) + "/etl/runs", trust_env=False).json()
    assert (run["status"], run["trigger"]) == ("succeeded", "cli")


def test_the_first_process_of_the_container_ends_gracefully_when_asked(images):
    with container(SERVICE, *CONTAINED, "--publish=127.0.0.1::8000") as it:
        eventually(lambda: httpx.get(it.url(8000) + "/ready", trust_env=False).is_success)

        docker("stop", "--time=60", it.name)  # SIGTERM, and SIGKILL a minute later

        assert it.state["ExitCode"] == 0
        assert "Traceback" not in it.logs


def test_a_service_that_is_not_ready_is_not_healthy(images):
    check = inspect(SERVICE)["Config"]["Healthcheck"]["Test"][1:]
    with container(SERVICE, "--entrypoint=sleep", command=("60",)) as it:
        done = tried("exec", it.name, *check)

    assert done.returncode == 1
    assert "ConnectionRefusedError" in done.stdout


def test_the_bases_are_upstream_s_and_can_be_others(images):
    bases = re.findall(r"^ARG \w+_IMAGE=(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert bases
    assert not [base for base in bases if "." in base.split("/")[0].split(":")[0]], "the address of a registry"

    other = tried("build", "--quiet", "--target=frontend", "--build-arg=NGINX_IMAGE=no-such-image", ".")

    assert other.returncode != 0
    assert "no-such-image" in other.stdout
