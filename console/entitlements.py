"""`seats entitlement`: the rights that were bought."""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated

import psycopg
import typer

from console.errors import BadUse, Refused
from console.finding import ProfileName, a_profile, the_profile
from console.output import AsJson, Sheet, show
from console.session import By, database, now, run
from console.style import examples, group
from messages.events import SoftwareModel
from store import entitlements
from store.entitlements import Entitlement, Purchase
from store.profiles import Profile

app = group("The rights that were bought.")


@app.command(
    "add",
    epilog=examples(
        "entitlement add acme --quantity 500 --unit-cost 24.99 --starts-on 2026-01-01 --ends-on 2026-12-31",
    ),
)
def add(
    profile: ProfileName,
    quantity: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many seats.")],
    unit_cost: Annotated[str, typer.Option(help="The cost of one, in the profile's currency, as 24.99.")],
    starts_on: Annotated[str, typer.Option(help="The first day, as 2026-01-01.")],
    ends_on: Annotated[str | None, typer.Option(help="The last day.", show_default="no end")] = None,
    software_model: Annotated[SoftwareModel, typer.Option(help="Which kind of seat.")] = "member",
    order_number: Annotated[str | None, typer.Option(help="Where it was bought, for people.")] = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Add a line of rights to a profile."""
    purchase = Purchase(
        software_model=software_model,
        quantity=quantity,
        unit_cost=_amount(unit_cost),
        starts_on=_day(starts_on, "--starts-on"),
        ends_on=_day(ends_on, "--ends-on") if ends_on else None,
        order_number=order_number,
    )
    if purchase.ends_on is not None and purchase.ends_on < purchase.starts_on:
        raise BadUse("--ends-on lies before --starts-on")
    found, added = run(_add(profile, purchase, by))
    told = f"{found.name} owns {quantity:,} more of {software_model}; it counts from the next reconciliation on: "
    show(_document(added), told + f"./seats run reconcile {found.name}", as_json=as_json)


async def _add(name: str, purchase: Purchase, by: str) -> tuple[Profile, Entitlement]:
    async with database() as connection:
        profile = await the_profile(connection, name)
        try:
            async with connection.transaction():
                entitlement_id = await entitlements.add(connection, profile, purchase, by=by, now=now())
        except psycopg.errors.ForeignKeyViolation:
            raise Refused(
                f"profile {name} has no software models yet; publish it first: ./seats profile publish {name}"
            ) from None
        lines = await entitlements.of_profile(connection, profile.id)
        return profile, next(line for line in lines if line.id == entitlement_id)


@app.command("list", epilog=examples("entitlement list acme"))
def list_(profile: ProfileName, as_json: AsJson = False) -> None:
    """List the rights of a profile."""

    async def read() -> list[Entitlement]:
        async with database() as connection:
            return await entitlements.of_profile(connection, (await a_profile(connection, profile)).id)

    lines = run(read())
    rows = [
        (
            line.id,
            line.software_model,
            f"{line.quantity:,}",
            f"{line.unit_cost.normalize():f} {line.currency}",
            line.starts_on,
            line.ends_on,
            line.order_number,
        )
        for line in lines
    ]
    columns = ("", "software model", "quantity", "unit cost", "from", "to", "order")
    sheet = Sheet(columns, rows, empty="Nothing was bought yet.", numbers=frozenset({"", "quantity", "unit cost"}))
    show({"entitlements": [_document(line) for line in lines]}, sheet, as_json=as_json)


def _document(line: Entitlement) -> dict[str, object]:
    names = "id software_model quantity unit_cost currency starts_on ends_on order_number added_by added_at"
    return {name: getattr(line, name) for name in names.split()}


def _amount(text: str) -> Decimal:
    if not re.fullmatch(r"[0-9]{1,8}(\.[0-9]{1,4})?", text):
        raise BadUse(f"--unit-cost is an amount as 24.99, not {text!r}")
    return Decimal(text)


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadUse(f"{option} is a day as 2026-01-01, not {text!r}") from None
