"""How fast Asana lets one credential ask, by the plan of the organization: the table of its page on rate limits."""

from rules.evidence import PAID_PLANS, AsanaPlan

FREE_PACE, PAID_PACE = 150, 1500
"""Requests a minute."""
SEARCHES_A_MINUTE = 60
"""Searches, which count as requests as well; a free organization has none."""


def requests_a_minute(plan: AsanaPlan) -> int:
    """Return how many requests of any kind a credential may make in a minute."""
    return PAID_PACE if plan in PAID_PLANS else FREE_PACE


def searches_a_minute(plan: AsanaPlan) -> int:
    """Return how many of these may be searches."""
    return SEARCHES_A_MINUTE if plan in PAID_PLANS else 0
