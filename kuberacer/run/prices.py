"""What a run cost, by a table of the user's own prices. Nothing is priced that the table does not name."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kuberacer.errors import UserError
from kuberacer.run.files import read_user_file
from kuberacer.took import GIB, Took

EXAMPLE = "docs/prices.example.yaml"
Price = Field(default=None, ge=0, lt=1e12, allow_inf_nan=False)


class Prices(BaseModel):
    """Prices in `currency` as they were on `date`. What is left out is not priced."""

    model_config = ConfigDict(extra="forbid", strict=False)

    currency: str = Field(min_length=1, max_length=20)
    date: str = Field(min_length=1, max_length=40)
    core_hour: float | None = Price  # that a pod asked for
    gib_hour: float | None = Price  # of memory that a pod asked for
    gpu_hour: dict[str, float] = Field(default_factory=dict)  # by model, or by the resource's name
    machine_hour: float | None = Price  # of a rented machine on which a local run goes
    kwh: float | None = Price  # of electricity, for a local run
    watts: float | None = Price  # of the machine while it goes
    gib_month: float | None = Price  # of the object store
    months: float | None = Price  # for which a run is kept

    @classmethod
    def read(cls, path: Path) -> "Prices":
        """Raises UserError naming the entry that is wrong."""
        try:
            found = yaml.load(read_user_file(path, "prices"), yaml.SafeLoader)
            if not isinstance(found, dict):
                raise UserError(f"{path} has no entries", f"see {EXAMPLE} for what may stand there")
            found["date"] = str(found.get("date", ""))  # YAML reads 2026-01-01 as a date
            prices = cls.model_validate(found)
        except yaml.YAMLError as error:
            raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}", "correct it") from None
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(map(str, fault["loc"]))
            raise UserError(f"{path}: {where}: {fault['msg']}", f"see {EXAMPLE} for what may stand there") from None
        for kind, price in prices.gpu_hour.items():
            if not 0 <= price < 1e12:
                raise UserError(f"{path}: gpu_hour of {kind} is {price}", "give a price that is not negative")
        return prices

    @classmethod
    def given(cls, path: Path | None) -> "tuple[Prices, Path] | None":
        """Of a file, else of KUBERACER_PRICES; None where neither names one."""
        named = path or (Path(os.environ["KUBERACER_PRICES"]) if os.environ.get("KUBERACER_PRICES") else None)
        return (cls.read(named), named) if named else None


@dataclass(frozen=True)
class Part:
    """amount × price, in the table's currency. price: None where the table names none."""

    what: str
    amount: float
    unit: str
    price: float | None

    @property
    def cost(self) -> float:
        return self.amount * (self.price or 0.0)


@dataclass(frozen=True)
class Cost:
    parts: tuple[Part, ...]

    @property
    def priced(self) -> list[Part]:
        return [part for part in self.parts if part.price is not None]

    @property
    def missing(self) -> list[Part]:
        """What was taken and has no price."""
        return [part for part in self.parts if part.price is None and part.amount > 0]

    @property
    def total(self) -> float:
        return sum(part.cost for part in self.priced)


def cost_of(took: Took, prices: Prices, on_cluster: bool, stored_bytes: float | None) -> Cost:
    """On a cluster what pods asked for is paid; on a machine of one's own its time.

    stored_bytes: of what the run keeps in the store; None where that is not asked for.
    """
    parts = list(_cluster(took, prices) if on_cluster else _machine(took, prices))
    if stored_bytes is not None:
        month = None if prices.gib_month is None or prices.months is None else prices.gib_month * prices.months
        kept = f"GiB for {prices.months:g} months" if prices.months is not None else "GiB"
        parts.append(Part("storage", stored_bytes / GIB, kept, month))
    return Cost(tuple(parts))


def _cluster(took: Took, prices: Prices) -> Iterable[Part]:
    yield Part("processors", took.held.core_s / 3600, "core-hours asked for", prices.core_hour)
    yield Part("memory", took.held.byte_s / GIB / 3600, "GiB-hours asked for", prices.gib_hour)
    for kind, seconds in sorted(took.held.gpu_s.items()):
        yield Part(f"GPU {kind}", seconds / 3600, "GPU-hours", prices.gpu_hour.get(kind))


def _machine(took: Took, prices: Prices) -> Iterable[Part]:
    hours = took.wall_s / 3600
    if prices.machine_hour is not None:
        yield Part("machine", hours, "hours", prices.machine_hour)
    if prices.machine_hour is None or prices.watts is not None:
        known = prices.kwh is not None and prices.watts is not None
        amount, unit = (hours * (prices.watts or 0) / 1000, "kWh") if known else (hours, "hours of this machine")
        yield Part("electricity", amount, unit, prices.kwh if known else None)


def table(cost: Cost, prices: Prices) -> list[str]:
    """A line a part, and the sum."""
    rows = [(part.what, f"{part.amount:.4f} {part.unit} × {part.price:g}", part.cost) for part in cost.priced]
    rows.append(("sum", "", cost.total))
    names, sums = (max(len(str(row[i])) for row in rows) for i in (0, 1))
    lines = [f"  {name:<{names}}  {how:<{sums}}  {value:>10.4f}" for name, how, value in rows]
    lines[-1] += f" {prices.currency}"
    return lines + [f"not priced: {part.what}, {part.amount:.4f} {part.unit}" for part in cost.missing]
