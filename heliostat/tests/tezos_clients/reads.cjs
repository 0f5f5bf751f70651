// What taquito reads and sends, as one JSON document on standard output.
//
// Arguments: the node's URL, the sender's secret key, and a JSON document with
// the addresses (`sender`, `receiver`, `counter`, `ledger`, `registry`,
// `holder`). NODE_PATH says where the packages are.

const { TezosToolkit } = require("@taquito/taquito");
const { InMemorySigner } = require("@taquito/signer");

const [url, secret, document] = process.argv.slice(2);
const asked = JSON.parse(document);

async function main() {
  const tezos = new TezosToolkit(url);
  tezos.setProvider({ signer: new InMemorySigner(secret) });
  tezos.setStreamProvider(
    tezos.getFactory(require("@taquito/taquito").PollingSubscribeProvider)({
      pollingIntervalMilliseconds: 100,
    }),
  );
  const { rpc } = tezos;
  const account = async (address) => ({
    balance: (await tezos.tz.getBalance(address)).toFixed(),
    counter: (await rpc.getContract(address)).counter,
    manager_key: await rpc.getManagerKey(address),
  });
  const ledger = await tezos.contract.at(asked.ledger);
  const storage = await ledger.storage();
  const bigMap = Object.values(storage).find((one) => typeof one?.get === "function");
  const registry = await tezos.contract.at(asked.registry);
  const told = {
    chain_id: await rpc.getChainId(),
    level: (await rpc.getBlockHeader()).level,
    sender: await account(asked.sender),
    receiver: (await tezos.tz.getBalance(asked.receiver)).toFixed(),
    script: await rpc.getScript(asked.counter),
    entrypoints: Object.keys((await rpc.getEntrypoints(asked.registry)).entrypoints).sort(),
    counter: await (await tezos.contract.at(asked.counter)).storage(),
    registry: JSON.stringify(await registry.storage()),
    big_map: await bigMap.get(asked.holder),
    minimal_block_delay: (await rpc.getConstants()).minimal_block_delay,
    protocol: (await rpc.getProtocols()).protocol,
  };
  if (asked.send) {
    const sent = await tezos.contract.transfer({ to: asked.receiver, amount: asked.send });
    const level = await sent.confirmation(1, 20);
    told.sent = {
      hash: sent.hash,
      included: level !== undefined,
      receiver: (await tezos.tz.getBalance(asked.receiver)).toFixed(),
      counter: (await rpc.getContract(asked.sender)).counter,
    };
  }
  console.log(JSON.stringify(told));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
