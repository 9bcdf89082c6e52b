"""docker-compose.yml, its image and its lines in the README against what is installed: nothing needs an engine.

Tests ose/settings.py too.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from ose.cli.main import app
from ose.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if name != "database"}
IMAGE = (ROOT / "workers" / "Dockerfile").read_text(encoding="utf8")
STARTING = re.findall(r"^#   (docker compose .*?)(?: +#.*)?$", TEXT, re.MULTILINE)
SECRETS = ("POSTGRES_PASSWORD", "PGPASSWORD", "RAY_AUTH_TOKEN")


def commands(service: dict[str, Any]) -> Iterator[list[str]]:
    """What a service runs to live and to be found healthy; a shell's line is taken apart."""
    words = [service.get("command", []), service.get("healthcheck", {}).get("test", ["CMD"])[1:]]
    for command in filter(None, words):
        if command[:2] == ["sh", "-c"]:
            yield from (shlex.split(part.replace("exec ", "")) for part in command[2].split("&&"))
        else:
            yield command


ALL = [(name, command) for name, service in OURS.items() for command in commands(service)]
ALL += [("README", shlex.split(line.partition(" --rm api ")[2])) for line in STARTING if " ose " in line]


RAYS_OWN = """
import json, sys
from ray.scripts.scripts import cli
for words in json.loads(sys.stdin.read()):
    node = cli
    while hasattr(node, "commands"):
        node = node.commands[words.pop(0)]
    assert not node.make_context(node.name, words).args
"""
"""In a process of its own: other tests have to tell Ray something before it is imported."""


@pytest.mark.parametrize(
    ("where", "command"),
    [each for each in ALL if each[1][0] != "ray"],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_every_command_and_option_exists(where: str, command: list[str]) -> None:
    program, *words = command
    if program == "python":
        assert words[0] == "-c" and ast.parse(words[1])
        return
    assert program == "ose"
    node: Any = get_command(app)
    while hasattr(node, "commands"):
        node = node.commands[words.pop(0)]
    assert not node.make_context(node.name, words).args


@pytest.mark.processes
def test_every_command_and_option_of_rays_exists() -> None:
    commands = [command[1:] for _, command in ALL if command[0] == "ray"]
    assert commands
    done = subprocess.run([sys.executable, "-c", RAYS_OWN], input=json.dumps(commands), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_it_has_all_parts_and_those_of_a_gpu_apart() -> None:
    parts = {"database", "ray-head", "ray-worker", "ray-latency", "ray-worker-gpu", "api", "coordinator"}
    assert set(SERVICES) == parts
    assert [name for name, service in SERVICES.items() if service.get("profiles")] == ["ray-worker-gpu"]
    assert {service["image"] for service in OURS.values()} == {"ose:0.1.0"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_watched_and_no_root(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert service["user"] not in ("root", "0") and service["restart"] == "unless-stopped"
    awaited = service.get("depends_on", {}).values()
    assert all(each == {"condition": "service_healthy"} for each in awaited)


def test_secrets_come_from_outside_and_have_no_default() -> None:
    values = [(key, value) for each in SERVICES.values() for key, value in each["environment"].items()]
    secrets = [value for key, value in values if key in SECRETS]
    assert {key for key, _ in values} >= set(SECRETS)
    assert all(re.fullmatch(r"\$\{\w+:\?[^}]+\}", value) for value in secrets)
    assert not re.search(r"\w+://[^@\s]*:[^@\s]*@", TEXT), "a password in a URL is shown where URLs are"


def test_ray_asks_for_a_token_everywhere() -> None:
    assert all(service["environment"]["RAY_AUTH_MODE"] == "token" for service in OURS.values())


def test_latency_has_a_node_where_nothing_trains() -> None:
    [command] = [command for name, command in ALL if name == "ray-latency" and command[0] == "ray"]
    assert "--num-cpus=0" in command
    [offered] = [word.partition("=")[2] for word in command if word.startswith("--resources=")]
    assert json.loads(offered) == {"latency_cpu": 1}


def test_those_who_share_the_home_are_one_user_and_nobody_else_enters_it() -> None:
    assert {service["user"] for service in OURS.values()} == {"ose"}
    assert {service["environment"]["OSE_HOME"] for service in OURS.values()} == {"/data"}
    assert "install --directory --mode=700 --owner=ose /data" in IMAGE


def test_every_setting_exists() -> None:
    set_here = {key for each in OURS.values() for key in each["environment"] if key.startswith("OSE_")}
    assert set_here <= {f"OSE_{name.upper()}" for name in Settings.model_fields}


def test_only_loopback_is_published() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:8000:8000"]


def test_the_image_is_built_from_the_lock_for_a_lesser_user() -> None:
    assert "--requirement requirements.lock" in IMAGE
    assert re.findall(r"^USER (\w+)$", IMAGE, re.MULTILINE)[-1] == "ose"
    copied = [word for line in re.findall(r"^COPY (.*) \S+$", IMAGE, re.MULTILINE) for word in line.split()]
    assert all((ROOT / name).exists() for name in copied)
    assert re.search(r"^psycopg-binary==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)


def test_the_readme_has_the_lines_that_start_it() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf8")
    assert len(STARTING) == 2
    assert all(line in readme for line in STARTING)
