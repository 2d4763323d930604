import csv

from database import symbol_cache
from database.table import SymToken, db_session


def rows_of(path):
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            for column in ("strike", "tick_size", "contract_value"):
                row[column] = float(row[column]) if row[column] else None
            row["lotsize"] = int(row["lotsize"]) if row["lotsize"] else None
            yield row


def load_contract(path):
    SymToken.query.delete()
    db_session.commit()
    db_session.bulk_insert_mappings(SymToken, list(rows_of(path)))
    db_session.commit()
    symbol_cache.forget()
