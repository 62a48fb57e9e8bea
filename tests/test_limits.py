from __future__ import annotations

import sys
from pathlib import Path

import pytest

from napari_webipred import limits
from napari_webipred.errors import OptionError
from napari_webipred.options import Options


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("5GB", 5 * 10**9),
        ("1.5 gb", 15 * 10**8),
        ("2GiB", 2**31),
        ("7k", 7000),
        ("12 B", 12),
        ("1TB", 10**12),
    ],
)
def test_amounts_of_space_are_read_as_people_write_them(text: str, size: int) -> None:
    assert limits.bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1e9", "5 XB", "1,5GB", "5 i"])
def test_what_is_no_amount_of_space_is_told(text: str) -> None:
    with pytest.raises(OptionError, match="not an amount of space"):
        limits.bytes_of(text)


GIGABYTE = 10**9


@pytest.mark.parametrize(
    ("memory", "budget"), [(2 * GIGABYTE, GIGABYTE // 2), (16 * GIGABYTE, 4 * GIGABYTE), (512 * GIGABYTE, 4 * GIGABYTE)]
)
def test_the_budget_is_a_quarter_of_the_memory_and_for_models_at_most_4_gb(
    memory: int, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_memory", lambda: memory)
    assert limits.memory_budget() == budget
    assert limits.image_budget() == memory // 4


def test_the_budget_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_MEMORY_LIMIT", " 12GB ")
    assert limits.memory_budget() == limits.image_budget() == 12 * GIGABYTE


def test_the_budget_of_images_can_be_chosen_for_one_run() -> None:
    assert Options(memory="1.5GB").budget == 1_500_000_000
    assert Options(memory=3).budget == 3
    assert Options().budget == limits.image_budget()
    for nonsense in (0, "plenty"):
        with pytest.raises(OptionError):
            Options(memory=nonsense)


def test_a_budget_that_is_no_amount_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_MEMORY_LIMIT", "plenty")
    with pytest.raises(OptionError, match="NAPARI_WEBIPRED_MEMORY_LIMIT is 'plenty'"):
        limits.memory_budget()


def test_this_computer_has_a_sensible_amount_of_memory() -> None:
    assert GIGABYTE // 4 < limits._memory() < 10**14


def test_the_memory_of_this_computer_is_what_psutil_says() -> None:
    psutil = pytest.importorskip("psutil")
    measured = limits._windows_memory() if sys.platform == "win32" else limits._posix_memory()
    assert measured == pytest.approx(psutil.virtual_memory().total, rel=0.01)


@pytest.mark.parametrize(
    ("group", "files", "limit"),
    [
        ("0::/", {"memory.max": "2000000000"}, 2 * GIGABYTE),
        ("0::/", {"memory.max": "max"}, 0),
        ("0::/job/step", {"job/memory.max": "3000000000", "job/step/memory.max": "max"}, 3 * GIGABYTE),
        ("0::/job", {"job/memory.max": "5000000000", "memory.max": "4000000000"}, 4 * GIGABYTE),
        ("4:memory:/job\n5:cpu:/x", {"memory/job/memory.limit_in_bytes": "6000000000"}, 6 * GIGABYTE),
        ("4:cpu,memory:/gone", {"memory/memory.limit_in_bytes": "7000000000"}, 7 * GIGABYTE),
        ("", {}, 0),
    ],
)
def test_the_limit_of_a_container_or_a_job_counts(
    tmp_path: Path, group: str, files: dict[str, str], limit: int
) -> None:
    (tmp_path / "cgroup").write_text(group + "\n" if group else "")
    for name, content in files.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    assert limits._control_group_memory(tmp_path / "cgroup", tmp_path / "fs") == limit
    assert limits._control_group_memory(tmp_path / "none", tmp_path / "fs") == 0
