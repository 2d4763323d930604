"""Loaders and what is none, and what is to be said of each lookup: at the end of its line."""

from __future__ import annotations
import requests
from app import thing
from dataloaders import DataLoader
from dataloaders.sql import TableLoader
from elsewhere import OtherLoader


class UserLoader(TableLoader):
    table, key = object(), ("id",)


class ExplicitLoader(UserLoader):
    lookahead = "explicit"


class PlainLoader(DataLoader[int, str]):
    pass


class Service:
    teams: UserLoader

    def __init__(self, users: UserLoader, names):
        self.users = users
        self.names = names
        self.made = PlainLoader()

    def f(self, rows: list):
        for row in rows:
            self.users.get(row.id)  # seen
            self.teams.require(row.team)  # seen
            self.made.get(row.id)  # one line: for row in self.made.over(rows, "id"):
            self.names.get(row.id)


def f(rows: list, users: UserLoader, others: dict, scope, plain: "PlainLoader | None"):
    own = ExplicitLoader()
    scoped = scope.loader(UserLoader)
    current = OtherLoader.current()
    for row in rows:
        users.get(row["id"])  # seen
        scoped.get(key=row["id"])  # seen
        own.get((row["a"], row["b"]))  # one line: for row in own.over(current.over(own.over(rows, "a", "b"), "id"), lambda row: row["id"]):
        current.get(row["id"])  # one line: for row in own.over(current.over(own.over(rows, "a", "b"), "id"), lambda row: row["id"]):
        if plain:
            plain.get(row["id"])  # by hand
        if row["id"]:
            own.get(row["id"])  # one line: for row in own.over(current.over(own.over(rows, "a", "b"), "id"), lambda row: row["id"]):
        others.get(row["id"])
        requests.get(row["url"])
        row.get("id")
        thing.get(row["id"])
        users.get_many([row["id"]])
        rows.get(row["id"], None)


def chained(rows: list, users: UserLoader, plain: PlainLoader):
    for row in rows:
        user = users.get(row.id)  # seen
        users.get(user.leader)  # seen
        plain.get(user.team)  # by hand


async def awaited(rows: list, users: UserLoader, plain: PlainLoader):
    for row in rows:
        await users.load(row.id)  # seen
        await plain.load(row.id)  # one line: for row in plain.over(rows, "id"):
    futures = [plain.load(row.id) for row in rows]  # seen
    return [await each for each in futures]
