"""Whose settings, catalogue and data are used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infrastructure import home
from infrastructure.home import ROOT
from infrastructure.settings import Settings
from topics.errors import UserError


@pytest.fixture(autouse=True)
def _nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("IOT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with another one in it, which is the working directory."""
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    return tmp_path


def test_without_one_it_is_the_checkout(mine: Path) -> None:
    assert home.find() == (ROOT, "the checkout")
    settings = Settings.of()
    assert (settings.sensors, settings.data_dir) == (ROOT / "sensors.toml", ROOT / ".local")


def test_a_file_of_settings_of_another_program_makes_no_home(mine: Path) -> None:
    (mine / ".env").write_text("DATABASE=postgres\n# IOT_PREFIX is another thing\n")
    assert home.find().directory == ROOT


def test_the_nearest_directory_with_settings_of_ours_is_home(mine: Path) -> None:
    (mine / ".env").write_text("DATABASE=postgres\nexport IOT_PREFIX=mine.\nIOT_SECRETS=passwords\n")
    assert home.find() == (mine, "found from the working directory")
    settings = Settings.of()
    assert settings.prefix == "mine."
    assert settings.data_dir == mine / ".local"
    assert settings.secrets_dir == mine / "passwords"
    assert settings.sensors == ROOT / "sensors.toml", "there is none of its own"
    (mine / "below" / "sensors.toml").touch()
    assert home.find().directory == mine / "below"
    assert Settings.of().sensors == mine / "below" / "sensors.toml"
    assert Settings.of().prefix == ""


def test_a_catalogue_that_is_named_and_missing_is_not_replaced(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOT_HOME", str(mine))
    monkeypatch.setenv("IOT_SENSORS", "cold.toml")
    assert Settings.of().sensors == mine / "cold.toml"


def test_home_by_its_variable_goes_first(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (mine / "below" / "sensors.toml").touch()
    monkeypatch.setenv("IOT_HOME", str(mine))
    assert home.find() == (mine, "by --home or IOT_HOME")
    assert Settings.of().environment()["IOT_HOME"] == str(mine)
    monkeypatch.setenv("IOT_HOME", str(mine / "nowhere"))
    with pytest.raises(UserError, match=r"no directory .*/nowhere"):
        Settings.of()


def test_what_somebody_else_has_put_above_is_not_obeyed(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (mine / ".env").write_text("IOT_KAFKA=elsewhere:9092\n")
    monkeypatch.setattr(os, "getuid", lambda: mine.stat().st_uid + 1)
    if mine.stat().st_uid:
        assert home.find().directory == ROOT
    else:  # root's own, which is obeyed
        assert home.find().directory == mine
        os.chown(mine, 65534, 65534)
        assert home.find().directory == ROOT


def test_the_directory_of_all_a_user_has_is_not_found(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (mine / ".env").write_text("IOT_PREFIX=mine.\n")
    monkeypatch.setenv("HOME", str(mine))
    assert home.find().directory == ROOT, "its .local is not ours"
