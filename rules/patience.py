"""How many unknown answers a pull of activity bears before it counts as incomplete."""

FEW = 5
LARGEST_UNKNOWN_SHARE = 0.05


def trouble_with(*, asked: int, unknown: int, first: str) -> str | None:
    """Return why the pull is incomplete, in a sentence; None if the unknown are few enough to be kept one by one.

    `first` is the first refusal, which stands for the rest.
    """
    if unknown <= max(FEW, LARGEST_UNKNOWN_SHARE * asked):
        return None
    return f"activity incomplete: no answer for {unknown} of {asked} people; the first: {first}"
