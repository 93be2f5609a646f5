"""The member list that Asana's admin console exports: a CSV with the day of each member's last activity."""

import csv
import io

from sandbox.asana.lookalike import LookAlike
from sandbox.asana.model import Membership
from sandbox.asana.truth import acts_of, last_use_of, latest_acts

COLUMNS = ("Name", "Email", "Role", "License", "Status", "Last activity date")


def member_export(look: LookAlike) -> str:
    """The CSV as it would be exported now, without former members; a last activity is of any kind, by UTC days."""
    work = latest_acts(act for task in look.state.tasks.values() for act in acts_of(task))
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for membership in look.state.memberships_of(look.state.company):
        if membership.is_active:
            person = membership.person
            used = last_use_of(person, work.get(person.gid))
            table.writerow([*_who(membership), used.date().isoformat() if used else ""])
    return text.getvalue()


def _who(membership: Membership) -> tuple[str, str, str, str, str]:
    person = membership.person
    role = "Admin" if membership.is_admin else "Guest" if membership.is_guest else "Member"
    licence = "View-only" if membership.is_view_only else "" if membership.is_guest else "Full"
    status = "Invited" if person.archetype == "invited" else "Active"
    return person.name, person.email or "", role, licence, status
