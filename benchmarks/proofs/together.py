"""A whole pull of one organization, as in production, and what its claims and verdicts are worth."""

from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, time, timedelta
from random import Random

from benchmarks.proofs.alone import START
from benchmarks.proofs.sides import Side
from benchmarks.proofs.stage import THRESHOLD, Place, Stage, no_waits, stage_for
from rules.evidence import Source
from rules.member_import import Line, match
from sandbox.asana import Running, running
from sandbox.asana.credentials import Credential
from sandbox.asana.faults import Kind
from sandbox.asana.member_export import member_export
from sandbox.asana.truth import PersonTruth
from sources import member_export as export_source
from store import member_exports

BAD: tuple[tuple[Kind, int], ...] = (
    ("answer", 500),
    ("answer", 503),
    ("answer", 429),
    ("answer", 403),
    ("answer", 404),
    ("answer", 402),
    ("answer", 400),
    ("html", 200),
    ("cut", 200),
    ("close", 200),
)
ROUTES = (
    "/tasks",
    "/tasks/{task_gid}/stories",
    "/workspaces/{workspace_gid}/tasks/search",
    "/workspaces/{workspace_gid}/audit_log_events",
)


@dataclass
class Together:
    """What was counted on one side. `idle` people used Asana at some time, but not within the threshold."""

    organizations: int = 0
    spoiled: int = 0
    claims: int = 0
    overclaimed: int = 0
    ready: int = 0
    wrong: int = 0
    unseeable: int = 0
    idle: int = 0
    idle_ready: int = 0
    idle_attention: int = 0
    never_came: int = 0
    never_came_found: int = 0
    faults: list[str] = field(default_factory=list)

    def __add__(self, other: "Together") -> "Together":
        return Together(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})

    @property
    def ready_share(self) -> float:
        """Of the truly idle, the share that is ready."""
        return self.idle_ready / self.idle if self.idle else 0.0

    def measured(self) -> dict[str, int]:
        """Every count."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "faults"}


async def all_together(place: Place, side: Side, *, people: int, seed: int, rng: Random) -> Together:
    """Download, pull and judge one organization; every other one with answers that fail at random."""
    spoiled = seed % 2 == 1 and people < 1000
    with running(people=people, seed=seed, start=START, plan=side.plan) as asana, no_waits():
        async with stage_for(asana, place, slice_seconds=60) as stage:
            name = f"{side.name.replace(', ', '-').replace(' ', '-').lower()}-{seed}-{people}"
            profile_id = await stage.publish(
                name,
                plan=side.plan,
                evidence=side.evidence,
                sweep="full" if seed % 4 < 2 else "economical",
                with_service_account=side.with_service_account,
                look_back=side.look_back,
            )
            await stage.run(profile_id, "download")
            if spoiled:
                _spoil(asana, people, rng)
            if side.with_export:
                await _import(stage, profile_id)
            await stage.run(profile_id, "activity")
            asana.faults.clear()
            await stage.run(profile_id, "candidates")
            return await _weigh(stage, side, profile_id, seed, spoiled=spoiled)


def _spoil(asana: Running, people: int, rng: Random) -> None:
    for _ in range(rng.randint(1, 5)):
        kind, status = rng.choice(BAD)
        times = rng.choice((1, 2, 5, None))
        asana.faults.add(kind, route=rng.choice(ROUTES), status=status, skip=rng.randrange(2 * people), times=times)


async def _import(stage: Stage, profile_id: int) -> None:
    now = stage.asana.clock.now()
    read = export_source.read(member_export(stage.asana.look).encode(), exported_at=now)
    known = await member_exports.known_people(stage.owner, profile_id)

    def at(row: export_source.Row) -> datetime | None:
        return export_source.latest_moment(row.last_active_on, exported_at=now) if row.last_active_on else None

    matching = match([Line(row.line, row.email, at(row)) for row in read.rows], known, now)
    draft = member_exports.Draft(
        file_sha256=profile_id.to_bytes(32, "big"),
        exported_at=now,
        people=len(read.rows),
        matched=len(matching.told),
        by="a proof",
    )
    async with stage.owner.transaction():
        await member_exports.keep(stage.owner, profile_id, draft, matching.told, now)


async def _weigh(stage: Stage, side: Side, profile_id: int, seed: int, *, spoiled: bool) -> Together:
    found = Together(organizations=1, spoiled=int(spoiled))
    now, asana = stage.asana.clock.now(), stage.asana
    token = asana.service_account_token if side.with_service_account else asana.admin_token
    reader = asana.look.credentials.of(f"Bearer {token}")
    people = await _people(stage, profile_id)
    await _weigh_claims(stage, found, profile_id, reader, people, seed)
    truth = asana.truth(now - THRESHOLD, reader)
    for gid, row in people.items():
        _weigh_verdict(found, side, truth[gid], row, now, seed)
        if not spoiled:
            _count_found(found, truth[gid], row, now)
    return found


Row = dict[str, object]


async def _people(stage: Stage, profile_id: int) -> dict[str, Row]:
    rows = await stage.rows(
        """SELECT s.user_gid, s.id, s.joined_at, s.is_admin, c.state, c.verdict -> 'unseen' AS unseen,
                  (SELECT max(acted_at) FROM observation o
                    WHERE o.profile_id = s.profile_id AND o.subscription_id = s.id) AS known_at,
                  EXISTS (SELECT FROM credential k JOIN profile p ON p.connection_id = k.connection_id
                           WHERE p.id = s.profile_id AND k.user_gid = s.user_gid) AS is_ours
             FROM subscription s
             LEFT JOIN candidate c ON c.profile_id = s.profile_id AND c.subscription_id = s.id AND c.closed_at IS NULL
            WHERE s.profile_id = %(profile)s AND s.state = 'active' AND s.software_model = 'member'""",
        profile=profile_id,
    )
    return {str(row["user_gid"]): row for row in rows}


async def _weigh_claims(
    stage: Stage, found: Together, profile_id: int, reader: Credential, people: dict[str, Row], seed: int
) -> None:
    """Hold each claimed window against the last act in it that its source could see: we must know of one as late."""
    windows = await stage.rows(
        """SELECT s.user_gid, c.source, lower(w) AS begin, upper(w) AS "end"
             FROM coverage c JOIN subscription s ON s.id = c.subscription_id, unnest(c.covered) AS w
            WHERE c.profile_id = %(profile)s AND s.state = 'active' AND s.software_model = 'member'
           UNION ALL
           SELECT s.user_gid, a.source, lower(w), upper(w)
             FROM activity_stream a JOIN subscription s ON s.profile_id = a.profile_id, unnest(a.covered) AS w
            WHERE a.profile_id = %(profile)s AND s.state = 'active' AND s.software_model = 'member'""",
        profile=profile_id,
    )
    truths: dict[datetime, dict[str, PersonTruth]] = {}
    for window in windows:
        begin, end, gid = window["begin"], window["end"], str(window["user_gid"])
        assert isinstance(begin, datetime)
        assert isinstance(end, datetime)
        if begin not in truths:
            truths[begin] = stage.asana.truth(begin, reader)
        found.claims += 1
        seen, known = _seen(truths[begin][gid], str(window["source"])), people[gid]["known_at"]
        if seen is not None and begin <= seen <= end and (not isinstance(known, datetime) or known < seen):
            found.overclaimed += 1
            found.faults.append(f"seed {seed}: {window['source']} claims {begin} to {end} of {gid}, act at {seen}")


def _seen(truth: PersonTruth, source: str) -> datetime | None:
    acts = {"tasks": truth.seen_by_tasks, "search": truth.seen_by_search, "audit_log": truth.seen_by_audit_log}
    if source in acts:
        act = acts[source]
        return act.at if act else None
    return datetime.combine(truth.seen_by_export, time(), UTC) if truth.seen_by_export else None


def _weigh_verdict(found: Together, side: Side, truth: PersonTruth, row: Row, now: datetime, seed: int) -> None:
    """Nobody may be ready who used Asana where the evidence looked; elsewhere, the verdict must say where not."""
    if row["state"] != "ready":
        return
    found.ready += 1
    if truth.last_use_at is None or truth.last_use_at < now - THRESHOLD:
        return
    visible = any((_seen(truth, source) or START - timedelta(days=999)) >= now - THRESHOLD for source in _asked(side))
    if visible or not row["unseen"]:
        found.wrong += 1
        found.faults.append(f"seed {seed}: {row['user_gid']} is ready, used Asana at {truth.last_use_at}")
    else:
        found.unseeable += 1


def _asked(side: Side) -> tuple[Source, ...]:
    asked: list[Source] = ["tasks"]
    asked += ["search"] if side.plan != "free" else []
    asked += ["audit_log"] if side.with_service_account else []
    asked += ["member_export"] if side.with_export else []
    return tuple(asked)


def _count_found(found: Together, truth: PersonTruth, row: Row, now: datetime) -> None:
    joined = row["joined_at"]
    assert isinstance(joined, datetime)
    if row["is_admin"] or row["is_ours"] or joined > now - THRESHOLD:
        return
    if truth.last_use_at is None:
        found.never_came += 1
        found.never_came_found += row["state"] is not None
    elif truth.last_use_at < now - THRESHOLD:
        found.idle += 1
        found.idle_ready += row["state"] == "ready"
        found.idle_attention += row["state"] == "attention_required"
