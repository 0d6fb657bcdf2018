"""Prices: the parts make the sum, nothing is priced that the table does not name, faults are named."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.run.cost import cost_lines
from kuberacer.run.prices import EXAMPLE, Prices, cost_of, table
from kuberacer.run.record import RecordFile, Remote, RunRecord, Stage
from kuberacer.took import PodTime, Took
from kuberacer.usage import Held, Usage

ROOT = Path(__file__).parents[3]
amounts = st.floats(0, 1e9)
price = st.none() | st.floats(0, 1e4)
kinds = st.dictionaries(st.sampled_from(["H200", "T4"]), st.floats(0, 1e4))
tables = st.builds(
    Prices, currency=st.just("EUR"), date=st.just("today"), core_hour=price, gib_hour=price, gpu_hour=kinds,
    machine_hour=price, kwh=price, watts=price, gib_month=price, months=price,
)  # fmt: skip
tooks = st.builds(
    Took, amounts, amounts, st.integers(0, 1 << 40), kinds, st.builds(Held, st.integers(0, 9), amounts, amounts, kinds)
)
stores = st.none() | amounts


@given(tooks, tables, st.booleans(), stores)
def test_the_parts_make_the_sum_and_none_is_negative(
    took: Took, prices: Prices, on_cluster: bool, stored: float | None
) -> None:
    cost = cost_of(took, prices, on_cluster, stored)
    assert math.isclose(cost.total, sum(part.amount * part.price for part in cost.priced if part.price is not None))
    assert all(part.amount >= 0 and part.cost >= 0 for part in cost.parts)
    assert not set(map(id, cost.priced)) & set(map(id, cost.missing))
    assert f"{cost.total:.4f} EUR" in "\n".join(table(cost, prices))


@given(tooks, st.booleans(), stores)
def test_a_table_without_prices_prices_nothing_and_says_so(took: Took, on_cluster: bool, stored: float | None) -> None:
    cost = cost_of(took, Prices(currency="EUR", date="today"), on_cluster, stored)
    assert cost.total == 0
    assert cost.priced == []
    assert cost.missing == [part for part in cost.parts if part.amount > 0]


@given(tooks, tooks, tables, st.booleans())
def test_two_runs_cost_what_each_of_them_does(one: Took, other: Took, prices: Prices, on_cluster: bool) -> None:
    both = Took(
        one.wall_s + other.wall_s, one.cpu_s + other.cpu_s, 0,
        {k: one.gpu_s.get(k, 0) + other.gpu_s.get(k, 0) for k in {*one.gpu_s, *other.gpu_s}}, one.held + other.held,
    )  # fmt: skip
    sums = [cost_of(took, prices, on_cluster, None).total for took in (one, other, both)]
    assert math.isclose(sums[0] + sums[1], sums[2], rel_tol=1e-9, abs_tol=1e-6)


def test_by_hand() -> None:
    prices = Prices(currency="USD", date="d", core_hour=0.04, gib_hour=0.004, gpu_hour={"T4": 0.5}, gib_month=0.02,
                    months=2, kwh=0.25, watts=40)  # fmt: skip
    took = Took(7200, 9999, 0, {}, Held(2, 3600 * 3, 3600 * (8 << 30), {"T4": 1800, "new": 60}))
    cost = cost_of(took, prices, True, 10 * (1 << 30))
    assert [round(part.cost, 6) for part in cost.priced] == [0.12, 0.032, 0.25, 0.4]
    assert [part.what for part in cost.missing] == ["GPU new"]
    assert cost_of(took, prices, False, None).total == pytest.approx(2 * 0.040 * 0.25)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no entries"),
        ("a: [", "is not YAML"),
        ("currency: USD\ndate: 1\ncore_hours: 1", "core_hours: Extra inputs"),
        ("currency: USD\ndate: 1\ncore_hour: -1", "core_hour: Input should be greater"),
        ("currency: USD\ndate: 1\nkwh: .nan", "kwh:"),
        ("currency: USD\ndate: 1\ngpu_hour: {T4: -2}", "gpu_hour of T4"),
        ("currency: USD\nkwh: 1", "date:"),
        ("date: 2026-01-01\nkwh: 1", "currency:"),
    ],
)
def test_a_faulty_table_is_told_by_its_entry(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        Prices.read(tmp_path / "prices.yaml")
    assert words in caught.value.cause


def test_the_example_reads_and_says_of_when_it_is() -> None:
    prices = Prices.read(ROOT / EXAMPLE)
    assert prices.date
    assert "example" in (ROOT / EXAMPLE).read_text().splitlines()[0].lower()


def write_run(folder: Path, on_cluster: bool) -> None:
    folder.mkdir(parents=True)
    remote = Remote("argo", "nowhere", "x") if on_cluster else None
    pods = [PodTime("p", 0, 3600, 0.5, 3 << 30)] if on_cluster else []
    stage = Stage("train", "succeeded", attempts=[Usage("train", "a", 0, 3600, 5400, 2 << 30)], pods=pods)
    RecordFile(folder, RunRecord(folder.name, "kidney", "sac", 0, stages=[stage], remote=remote, store="own")).write()


def test_the_command_says_hours_without_a_table_and_parts_with_one(tmp_path: Path) -> None:
    write_run(tmp_path / "out" / "monday", on_cluster=False)
    (tmp_path / "out" / "monday" / ".store").mkdir()
    command = [sys.executable, "-m", "kuberacer.run.cli", "cost", "monday", "--out", str(tmp_path / "out")]
    hours = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "1.500 core-hours used" in hours
    assert "no price table: name one" in hours
    priced = subprocess.run([*command, "--prices", str(ROOT / EXAMPLE)], capture_output=True, text=True, check=True)
    assert "electricity" in priced.stdout
    assert "sum" in priced.stdout


def test_a_run_on_a_cluster_is_priced_by_what_its_pods_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    write_run(tmp_path / "monday", on_cluster=True)
    (tmp_path / "prices.yaml").write_text("currency: USD\ndate: 2026-01-01\ncore_hour: 0.04\ngib_hour: 0.004\n")
    lines = cost_lines(tmp_path / "monday", tmp_path / "prices.yaml")
    assert any("0.5000 core-hours asked for × 0.04" in line for line in lines)
    assert any(line.endswith("0.0320 USD") for line in lines)
    assert lines[-1].startswith("not priced: storage")


def test_a_run_of_an_older_version_is_not_guessed_at(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"parameters": {}}))
    with pytest.raises(UserError, match="is not known"):
        cost_lines(tmp_path, None)
