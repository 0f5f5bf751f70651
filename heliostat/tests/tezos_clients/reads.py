"""What pytezos reads and sends, as one JSON document on standard output.

Arguments: the node's URL, the sender's secret key, and a JSON document with
the addresses (`sender`, `receiver`, `counter`, `ledger`, `registry`, `holder`).
"""

import json
import sys

from pytezos import pytezos
from pytezos.logging import logger

logger.setLevel("ERROR")
url, secret, asked = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = pytezos.using(shell=url, key=secret)


def contracts(address):
    return client.shell.head.context.contracts[address]


def account(address):
    return {
        "balance": contracts(address).balance(),
        "counter": contracts(address).counter(),
        "manager_key": contracts(address).manager_key(),
    }


ledger = client.contract(asked["ledger"])
key = {"string": asked["holder"]}
told = {
    "chain_id": client.shell.chains.main.chain_id(),
    "level": client.shell.head.header()["level"],
    "sender": account(asked["sender"]),
    "receiver": contracts(asked["receiver"]).balance(),
    "script": contracts(asked["counter"]).script(),
    "entrypoints": sorted(contracts(asked["registry"]).entrypoints()["entrypoints"]),
    "storage": {
        name: client.contract(asked[name]).storage() for name in ("counter", "registry")
    },
    "ledger_storage": ledger.storage.to_micheline(),
    "big_map": ledger.storage[0][asked["holder"]](),
    "operations_ttl": client.shell.head.context.constants()[
        "max_operations_time_to_live"
    ],
}

if asked["send"]:
    # In mutez, as an integer is. The whole time-to-live: the branch is the head.
    sent = client.transaction(destination=asked["receiver"], amount=asked["send"] * 1_000_000)
    signed = sent.autofill(ttl=-1).sign()
    injected = signed.inject(min_confirmations=1, num_blocks_wait=20, time_between_blocks=1)
    told["sent"] = {
        "hash": injected["hash"],
        "computed": signed.hash(),
        "receiver": contracts(asked["receiver"]).balance(),
        "counter": contracts(asked["sender"]).counter(),
    }

print(json.dumps(told, default=str, sort_keys=True))
