"""Which function answers which route of the API. The names are those of Asana's OpenAPI document."""

from sandbox.asana.answering import REMOVE_USER, Respond
from sandbox.asana.routes_log import get_audit_log_events
from sandbox.asana.routes_memberships import get_membership, get_memberships_of_user, get_memberships_of_workspace
from sandbox.asana.routes_ooo import get_ooo_entries
from sandbox.asana.routes_search import search_tasks
from sandbox.asana.routes_tasks import get_stories, get_task, get_tasks
from sandbox.asana.routes_users import get_agents, get_user, get_users, get_users_of_workspace
from sandbox.asana.routes_workspaces import add_user, get_workspace, get_workspaces, remove_user

ROUTES: tuple[tuple[str, str, Respond], ...] = (
    ("GET", "/tasks", get_tasks),
    ("GET", "/tasks/{task_gid}/stories", get_stories),
    ("GET", "/tasks/{task_gid}", get_task),
    ("GET", "/workspaces/{workspace_gid}/tasks/search", search_tasks),
    ("GET", "/users", get_users),
    ("GET", "/users/{user_gid}", get_user),
    ("GET", "/users/{user_gid}/workspace_memberships", get_memberships_of_user),
    ("GET", "/workspaces", get_workspaces),
    ("GET", "/workspaces/{workspace_gid}", get_workspace),
    ("GET", "/workspaces/{workspace_gid}/agents", get_agents),
    ("GET", "/workspaces/{workspace_gid}/users", get_users_of_workspace),
    ("GET", "/workspaces/{workspace_gid}/workspace_memberships", get_memberships_of_workspace),
    ("GET", "/workspace_memberships/{workspace_membership_gid}", get_membership),
    ("GET", "/workspaces/{workspace_gid}/audit_log_events", get_audit_log_events),
    ("GET", "/ooo_entries", get_ooo_entries),
    ("POST", "/workspaces/{workspace_gid}/addUser", add_user),
    ("POST", REMOVE_USER, remove_user),
)
"""Method, template and function; the most called come first, because they are tried in this order."""
