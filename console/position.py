"""`seats position`: what is owned, what is used, and what the difference costs."""

from console.finding import ProfileName, a_profile
from console.output import AsJson, Sheet, at, show
from console.session import database, run
from console.style import examples
from store import reconciliation
from store.reconciliation import Position

HELP = examples("position acme", "position acme --json")


def position(profile: ProfileName, as_json: AsJson = False) -> None:
    """Show what is owned, used and needed."""

    async def read() -> tuple[list[Position], str]:
        async with database() as connection:
            found = await a_profile(connection, profile)
            return await reconciliation.latest(connection, profile), found.time_zone

    positions, zone = run(read())
    amounts = ("true_up_cost", "over_licensed_amount", "potential_savings")
    rows = [
        (
            one.software_model,
            *(f"{count:,}" for count in (one.owned, one.used, one.available, one.needed)),
            "yes" if one.compliant else "NO",
            *(f"{getattr(one, name):,} {one.currency}" for name in amounts),
            at(one.as_of, zone),
        )
        for one in positions
    ]
    counts = ("owned", "used", "available", "needed")
    columns = ("software model", *counts, "compliant", *(name.replace("_", " ") for name in amounts), "as of")
    numbers = frozenset({*counts, *(name.replace("_", " ") for name in amounts)})
    empty = f"Nothing was reconciled yet. Next: ./seats run reconcile {profile}"
    names = f"software_model run_id as_of {' '.join(counts)} average_unit_cost {' '.join(amounts)} currency compliant"
    document = {
        "profile": profile,
        "positions": [{name: getattr(one, name) for name in names.split()} for one in positions],
    }
    show(document, Sheet(columns, rows, empty=empty, numbers=numbers), as_json=as_json)
