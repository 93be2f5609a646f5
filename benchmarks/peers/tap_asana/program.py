"""Runs `tap-asana` as its own command does, against another address than Asana's.

The tap has no setting for its address. So the SDK's default host is set before, and the one call that the tap makes by
itself, the refresh of its token, goes to ASANA_URL too. Everything else is the tap's own.
"""

import os
from typing import Any

import asana
import tap_asana
import tap_asana.asana

ASANA = "https://app.asana.com"


def main() -> None:
    configuration = asana.Configuration()
    configuration.host = f"{os.environ['ASANA_URL']}/api/1.0"
    asana.Configuration.set_default(configuration)
    post = tap_asana.asana.requests.post

    def post_there(url: str, **named: Any) -> Any:  # noqa: ANN401 - whatever the tap sends and gets
        return post(url.replace(ASANA, os.environ["ASANA_URL"], 1), **named)

    tap_asana.asana.requests.post = post_there
    tap_asana.main()


if __name__ == "__main__":
    main()
