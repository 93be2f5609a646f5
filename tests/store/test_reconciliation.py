"""The license position against the same figures computed plainly, and the days on which rights begin and end."""

import math
import random
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest

from store import reconciliation
from store.connect import Connection
from store.endings import finish
from store.reconciliation import Position
from tests.conftest import Database
from tests.rows import NOW, add_profile
from tests.store.people import acme, add_candidate, add_subscription, complete, start_run

pytestmark = [pytest.mark.anyio, pytest.mark.services]


async def buy(
    owner: Connection, profile: int, quantity: int, cost: str, starts: str = "2026-01-01", ends: str | None = None
) -> None:
    await owner.execute(
        """INSERT INTO entitlement (profile_id, software_model, quantity, unit_cost, currency, starts_on, ends_on,
                                    added_by, added_at) VALUES (%s, 'member', %s, %s, 'USD', %s, %s, 'ann', %s)""",
        [profile, quantity, cost, starts, ends, NOW],
    )


async def position_of(owner: Connection, profile: int, now: datetime = NOW) -> Position:
    run = await start_run(owner, profile, "reconcile", now)
    async with owner.transaction():
        (position,) = await reconciliation.reconcile(owner, run, now)
        await finish(owner, run, counts={}, now=now)
    return position


def cents(amount: Fraction) -> Decimal:
    """An exact amount rounded half up, once."""
    return Decimal(math.floor(amount * 100 + Fraction(1, 2))) / 100


async def test_the_figures_are_those_of_a_plain_model(database: Database, seed: int) -> None:
    drawn = random.Random(seed)
    async with acme(database) as (owner, _):
        for case in range(25):
            profile = await add_profile(owner, f"case-{case}")
            await complete(owner, profile)
            lines = [
                (drawn.randint(1, 9), Decimal(drawn.randint(0, 99_999)) / 1000) for _ in range(drawn.randint(0, 3))
            ]
            for quantity, cost in lines:
                await buy(owner, profile, quantity, str(cost))
            used, ready = drawn.randint(0, 20), 0
            run = await start_run(owner, profile, "candidates")
            for number in range(used):
                subscription = await add_subscription(owner, profile, str(1000 + number))
                if drawn.random() < 0.3:
                    ready += 1
                    await add_candidate(owner, profile, subscription, run, "ready")
            await add_subscription(owner, profile, "5000", model="guest")
            await add_subscription(owner, profile, "5001", model="view_only")
            owned = sum(quantity for quantity, _ in lines)
            price = sum((quantity * Fraction(cost) for quantity, cost in lines), Fraction()) / (owned or 1)
            position = await position_of(owner, profile)
            assert (position.owned, position.used) == (owned, used)
            assert (position.available, position.needed) == (max(owned - used, 0), max(used - owned, 0))
            assert position.compliant == (used <= owned)
            assert position.true_up_cost == cents(max(used - owned, 0) * price)
            assert position.over_licensed_amount == cents(max(owned - used, 0) * price)
            assert position.potential_savings == cents(ready * price)


async def test_half_a_cent_is_not_lost_in_the_average_price(database: Database) -> None:
    """0.025 over 3 rights is 0.00833…; three of them are 0.025 again, which is 0.03."""
    async with acme(database) as (owner, profile):
        await buy(owner, profile, 1, "0.0250")
        await buy(owner, profile, 2, "0.0000")
        position = await position_of(owner, profile)
    assert (position.over_licensed_amount, position.average_unit_cost) == (Decimal("0.03"), Decimal("0.0083"))


@pytest.mark.parametrize(
    ("starts", "ends", "owned"),
    [
        ("2026-03-02", None, 10),
        ("2026-03-03", None, 0),
        ("2026-01-01", "2026-03-02", 10),
        ("2026-01-01", "2026-03-01", 0),
        ("2026-03-02", "2026-03-02", 10),
    ],
)
async def test_rights_count_from_their_first_day_to_their_last(
    starts: str, ends: str | None, owned: int, database: Database
) -> None:
    async with acme(database) as (owner, profile):
        await buy(owner, profile, 10, "1", starts, ends)
        assert (await position_of(owner, profile)).owned == owned


@pytest.mark.parametrize(
    ("zone", "now", "owned"),
    [
        ("UTC", datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC), 0),
        ("UTC", datetime(2026, 3, 2, 0, 0, tzinfo=UTC), 10),
        ("Pacific/Kiritimati", datetime(2026, 3, 1, 9, 59, 59, tzinfo=UTC), 0),
        ("Pacific/Kiritimati", datetime(2026, 3, 1, 10, 0, tzinfo=UTC), 10),
        ("America/New_York", datetime(2026, 3, 2, 4, 59, 59, tzinfo=UTC), 0),
        ("America/New_York", datetime(2026, 3, 2, 5, 0, tzinfo=UTC), 10),
    ],
)
async def test_a_day_begins_in_the_time_zone_of_the_profile(
    zone: str, now: datetime, owned: int, database: Database
) -> None:
    async with acme(database) as (owner, profile):
        await owner.execute("UPDATE profile SET time_zone = %s", [zone])
        await buy(owner, profile, 10, "1", "2026-03-02")
        assert (await position_of(owner, profile, now)).owned == owned


async def test_without_an_entitlement_everything_in_use_is_needed(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await add_subscription(owner, profile, "1001")
        position = await position_of(owner, profile)
    assert (position.owned, position.used, position.needed, position.compliant) == (0, 1, 1, False)
    assert (position.true_up_cost, position.over_licensed_amount) == (Decimal(0), Decimal(0))


async def test_with_nothing_at_all_the_position_is_compliant(database: Database) -> None:
    async with acme(database) as (owner, profile):
        position = await position_of(owner, profile)
    assert (position.owned, position.used, position.available, position.needed) == (0, 0, 0, 0)
    assert position.compliant


async def test_who_is_gone_is_neither_used_nor_a_saving(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await buy(owner, profile, 5, "10")
        run = await start_run(owner, profile, "candidates")
        for gid in ("1001", "1002"):
            subscription = await add_subscription(owner, profile, gid)
            await add_candidate(owner, profile, subscription, run, "ready")
        await owner.execute(
            "UPDATE subscription SET state = 'gone', gone_at = %s, gone_because = 'missing' WHERE user_gid = '1002'",
            [NOW],
        )
        position = await position_of(owner, profile)
    assert (position.used, position.potential_savings) == (1, Decimal(10))


async def test_one_profile_never_counts_anothers(database: Database) -> None:
    async with acme(database) as (owner, profile):
        other = await add_profile(owner, "other")
        await complete(owner, other)
        await buy(owner, other, 50, "1")
        await add_subscription(owner, other, "1001")
        position = await position_of(owner, profile)
    assert (position.owned, position.used) == (0, 0)
