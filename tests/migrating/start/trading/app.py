import os

from flask import Flask, request
from werkzeug.exceptions import HTTPException

from database.master_contract import load_contract
from database.table import db_session, engine
from trading.broker_side.account import BrokerAccount
from trading.brokers.client import BrokerClient
from trading.brokers.errors import BrokerError
from trading.brokers.registry import BROKERS
from trading.brokers.transports import HttpTransport, MemoryTransport
from trading.endpoints import add_endpoints
from trading.exact_json import ExactJSONProvider
from trading.pages import add_pages
from trading.requests import InvalidRequestError


def create_app():
    app = Flask(__name__)
    app.json = ExactJSONProvider(app)
    client = BrokerClient(_way_to_the_broker(), BROKERS[os.environ.get("TRADING_BROKER", "kite")])
    add_endpoints(app, client, engine)
    add_pages(app, client)

    @app.post("/contract")
    def replace_contract():
        load_contract(request.get_json()["file"])
        return {"status": "success"}

    @app.teardown_appcontext
    def remove_session(_error):
        db_session.remove()

    @app.errorhandler(InvalidRequestError)
    def bad_request(error):
        return {"status": "error", "message": str(error)}, 400

    @app.errorhandler(BrokerError)
    def bad_gateway(error):
        return {"status": "error", "message": str(error)}, 502

    @app.errorhandler(HTTPException)
    def http_error(error):
        return {"status": "error", "message": error.description}, error.code

    return app


def _way_to_the_broker():
    url = os.environ["TRADING_BROKER_URL"]
    if url == "memory:":
        return MemoryTransport(BrokerAccount.with_a_history(os.environ["DATABASE_URL"]))
    return HttpTransport(url)
