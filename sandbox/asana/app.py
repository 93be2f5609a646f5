"""The whole look-alike as one ASGI application."""

from starlette.routing import BaseRoute, Route, Router

from sandbox.asana.answering import API, Endpoint, no_such_route
from sandbox.asana.control import Control
from sandbox.asana.lookalike import LookAlike
from sandbox.asana.routes import ROUTES
from sandbox.asana.routes_oauth import oauth_routes


def make_app(look: LookAlike) -> Router:
    """A bare router: Starlette's middleware is left out, as every route answers its own errors."""
    routes: list[BaseRoute] = [
        Route(API + template, Endpoint(look, method, template, respond)) for method, template, respond in ROUTES
    ]
    routes += oauth_routes(look)
    routes += Control(look).routes()
    return Router(routes, redirect_slashes=False, default=no_such_route)
