/** `npm run pay`: pays coins from the faucets of the running local stack, as a user of the shop would. */

import { parseArgs } from 'node:util'
import { KeyturnError } from '../domain/errors.js'
import { parseAmount } from '../domain/money.js'
import { evmClients } from './parts/usdt.js'
import { openHome, readJson } from './stack/home.js'
import { type StackFile, stackFileSchema } from './stack/stack-file.js'
import { flowsOf } from './walk/flows.js'

const HELP = `npm run pay -- COIN ADDRESS AMOUNT [--held]

  Pays AMOUNT whole coins to ADDRESS on the local chains of a running npm start, and prints the transaction's hash.

  COIN      eth, usdt, usdc, btc or ltc
  ADDRESS   for example one that POST /addresses answered
  --held    pay ETH from the sender whose deposits the local platform sets aside for a reviewer
  --help    this text

  KEYTURN_HOME   where the stack keeps its facts (default .keyturn)
`

class Misuse extends Error {}

async function main(): Promise<string> {
  const { values, positionals } = parseArgs({
    options: { held: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  if (values.help) return HELP
  const [coin, address, amount] = positionals
  if (!coin || !address || !amount || positionals.length > 3) throw new Misuse(HELP)
  const stack = readStack()
  const flow = flowsOf(stack).find((each) => each.coin === coin)
  if (!flow) {
    const coins = flowsOf(stack).map((each) => each.coin)
    throw new Misuse(`The running stack has no coin ${coin}; it has ${coins.join(', ')}`)
  }
  const units = parseAmount(amount, flow.decimals)
  if (!values.held) return flow.pay(address, units)
  if (coin !== 'eth') throw new Misuse('The sender whose deposits are held pays ETH only')
  return payHeld(stack, address as `0x${string}`, units)
}

function readStack(): StackFile {
  const { stackFile } = openHome()
  const found = readJson(stackFile)
  if (found === null) throw new Misuse(`${stackFile} is not there: start the stack with npm start first`)
  return stackFileSchema.parse(found)
}

async function payHeld(stack: StackFile, to: `0x${string}`, value: bigint): Promise<string> {
  const { rpc, chain_id, held_sender } = stack.networks.ethereum
  const { wallet } = evmClients(rpc, chain_id, held_sender.private_key as `0x${string}`)
  return wallet.sendTransaction({ to, value })
}

main().then(
  (text) => console.log(text.trimEnd()),
  (error: unknown) => {
    console.error(error instanceof Misuse || error instanceof KeyturnError ? error.message.trimEnd() : error)
    process.exitCode = 1
  },
)
