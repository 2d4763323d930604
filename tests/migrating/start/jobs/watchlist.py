"""Prints the tokens of a watchlist: python -m jobs.watchlist watchlist.csv"""

import csv
import sys

from database.symbol import get_brexchange, get_token


def main(path):
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            symbol, exchange = row["symbol"].strip(), row["exchange"]
            print(symbol, get_token(symbol, exchange), get_brexchange(symbol, exchange))


if __name__ == "__main__":
    main(sys.argv[1])
