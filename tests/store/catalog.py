"""What a database consists of, read from its catalogs: one line for each thing, so that a difference can be read."""

import psycopg

OURS = "n.nspname = 'public'"
READ = {
    "relation": """SELECT relname, relkind, relpersistence, relreplident, relrowsecurity, reloptions
                     FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
                    WHERE {ours} AND relkind IN ('r', 'v', 'm', 'S', 'p')""",
    "column": """SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
                        (SELECT collname FROM pg_collation o WHERE o.oid = attcollation),
                        pg_get_expr(d.adbin, d.adrelid)
                   FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
                   LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum
                  WHERE {ours} AND relkind IN ('r', 'v') AND attnum > 0 AND NOT attisdropped""",
    "constraint": """SELECT coalesce(relname, typname), conname, contype, convalidated, pg_get_constraintdef(k.oid)
                       FROM pg_constraint k JOIN pg_namespace n ON n.oid = connamespace
                       LEFT JOIN pg_class c ON c.oid = conrelid LEFT JOIN pg_type t ON t.oid = contypid WHERE {ours}""",
    "index": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "trigger": """SELECT pg_get_triggerdef(g.oid), tgenabled
                    FROM pg_trigger g JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace
                   WHERE {ours} AND NOT tgisinternal""",
    "function": """SELECT pg_get_functiondef(f.oid), proacl
                     FROM pg_proc f JOIN pg_namespace n ON n.oid = pronamespace WHERE {ours}""",
    "domain": """SELECT typname, format_type(typbasetype, typtypmod), typnotnull, typdefault, typacl::text,
                        (SELECT collname FROM pg_collation o WHERE o.oid = typcollation)
                   FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE {ours} AND typtype IN ('d', 'e')""",
    "view": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public'",
    "right": """SELECT relname, coalesce(r.rolname, 'everybody'), g.privilege_type, g.is_grantable
                  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace, aclexplode(relacl) g
                  LEFT JOIN pg_roles r ON r.oid = g.grantee WHERE {ours}""",
    "right on a column": """SELECT relname, attname, r.rolname, g.privilege_type, g.is_grantable
                  FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace,
                       aclexplode(attacl) g LEFT JOIN pg_roles r ON r.oid = g.grantee WHERE {ours}""",
    "owner": """SELECT relname, relkind, r.rolname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
                  JOIN pg_roles r ON r.oid = relowner WHERE {ours}""",
    "default right": "SELECT defaclobjtype, defaclacl::text FROM pg_default_acl",
    "comment": """SELECT i.type, i.identity, description FROM pg_description d,
                         pg_identify_object(classoid, objoid, objsubid) i WHERE i.schema = 'public'""",
    "version": "SELECT version FROM schema_version",
    "stamp": "SELECT version_num FROM alembic_version",
}


def catalog(url: str) -> set[str]:
    """Give every thing of the schema `public` as one line: what it is, and all that makes it what it is."""
    with psycopg.connect(url) as connection:
        return {
            " ".join(f"{kind}: {' | '.join(map(str, row))}".split())
            for kind, query in READ.items()
            for row in connection.execute(query.replace("{ours}", OURS).encode()).fetchall()
        }


def difference(loaded: set[str], migrated: set[str]) -> str:
    """Say what one has and the other has not, a line for each."""
    only_loaded = [f"only where schema.sql was loaded:  {line}" for line in sorted(loaded - migrated)]
    return "\n".join(
        only_loaded + [f"only where it was migrated:         {line}" for line in sorted(migrated - loaded)]
    )
