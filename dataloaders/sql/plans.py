"""Which plan asks which database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .mysql import MySQLPlan
from .plan import Plan
from .postgresql import PostgreSQLPlan
from .sqlite import SQLitePlan

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from .definition import Definition

PLANS: dict[str, type[Plan]] = {
    "sqlite": SQLitePlan,
    "postgresql": PostgreSQLPlan,
    "mysql": MySQLPlan,
    "mariadb": MySQLPlan,
}
"""Dialect name to the plan that asks it; any other database is asked by `Plan` itself."""


def plan_for(engine: Engine, loader: type[Any], definition: Definition) -> Plan:
    """Returns the plan of a loader class for an engine's database."""
    dialect = engine.dialect
    schemas = engine.get_execution_options().get("schema_translate_map")
    # Plans are kept on what they are for, and so for as long as it lives.
    plans: dict[Any, Plan] = vars(dialect).setdefault("_dataloaders_plans", {})
    kind = (loader, tuple(schemas.items()) if schemas else None)
    if kind not in plans:
        plans[kind] = PLANS.get(dialect.name, Plan)(definition, dialect, schemas)
    return plans[kind]
