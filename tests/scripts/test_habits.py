"""What a contributor meets: the workflow, the forms, the hooks, and the changelog's form."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from infrastructure.home import ROOT
from infrastructure.version import __version__
from scripts import commit_subject
from topics.errors import UserError

GITHUB = ROOT / ".github"
HOOKS = ROOT / ".pre-commit-config.yaml"
SCHEMAS = {
    GITHUB / "workflows" / "ci.yml": ("vendor.github-workflows", "custom.github-workflows-require-timeout"),
    GITHUB / "ISSUE_TEMPLATE" / "bug.yml": ("vendor.github-issue-forms",),
    GITHUB / "ISSUE_TEMPLATE" / "feature.yml": ("vendor.github-issue-forms",),
    GITHUB / "ISSUE_TEMPLATE" / "config.yml": ("vendor.github-issue-config",),
}
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
"""The sections of https://keepachangelog.com/en/1.1.0/."""


def refused(schema: str, file: Path) -> str:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize(("file", "schema"), [(file, each) for file, schemas in SCHEMAS.items() for each in schemas])
def test_what_github_reads_is_as_github_has_it(file: Path, schema: str) -> None:
    assert not refused(schema, file)


def test_every_file_that_github_reads_has_a_schema() -> None:
    assert set(GITHUB.rglob("*.yml")) == SCHEMAS.keys()


def test_what_is_not_as_github_has_it_is_noticed(tmp_path: Path) -> None:
    wrong = tmp_path / "ci.yml"
    wrong.write_text((GITHUB / "workflows" / "ci.yml").read_text().replace("runs-on:", "runs-onto:"))
    assert "runs-onto" in refused("vendor.github-workflows", wrong)


def test_the_workflow_checks_each_python_that_is_supported() -> None:
    workflow = yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text())
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert workflow["jobs"]["check"]["strategy"]["matrix"]["python"] == ["3.11", "3.12"]
    assert supported == ">=3.11,<3.13"


def test_the_hooks_are_as_pre_commit_has_them_and_need_no_download() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-config", str(HOOKS)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    repositories = yaml.safe_load(HOOKS.read_text())["repos"]
    assert [each["repo"] for each in repositories] == ["local"]
    assert {hook["language"] for each in repositories for hook in each["hooks"]} == {"system"}


@pytest.mark.parametrize("message", ["x" * 72, "é" * 72 + "\n\n" + "y" * 100, "# a comment of git's\nshort\n"])
def test_a_subject_that_fits_passes(message: str) -> None:
    commit_subject.check(message)


@pytest.mark.parametrize(
    ("message", "told"),
    [("x" * 73, "73 characters, and 72"), ("\n\n" + "x" * 80 + "\nbody", "80"), ("# nothing\n\n", "no subject")],
)
def test_a_subject_that_does_not_fit_is_refused(message: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        commit_subject.check(message)


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", version) for version in versions[1:])
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= KINDS
    current = __version__
    assert versions[1].startswith(f"[{current}] ")
