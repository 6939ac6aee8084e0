/**
 * Runs the adapter on a real Litecoin chain after MWEB: a HogEx in every block, and deposits out of the
 * extension block.
 */

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { readBlock } from '../../../auditor/utxo/read-block.js'
import type { SpendableOutput, UtxoAdapter } from '../../../chains/adapter.js'
import { createUtxoAdapter } from '../../../chains/utxo/create-utxo-adapter.js'
import type { UtxoNetwork } from '../../../domain/chain/network.js'
import { faucetKey } from '../../../local/parts/bitcoin-faucet.js'
import { LITECOIN_REGTEST } from '../../../local/parts/litecoin.js'
import { loadNetworks } from '../../../networks/load-networks.js'
import { type TestLitecoin, testLitecoind } from '../../support/litecoind.js'
import { testWallet } from './test-wallet.js'

/** Where regtest activates MWEB. */
const ACTIVATION = 432
const LTC = 100_000_000n

let node: TestLitecoin
let adapter: UtxoAdapter
let wallet: ReturnType<typeof testWallet>

beforeAll(async () => {
  node = await testLitecoind({ mweb: true })
  const networks = await loadNetworks(undefined, {
    LITECOIN_ENABLED: 'true',
    LITECOIN_RPC_URLS: node.rpc,
  })
  const network = networks.get('litecoin') as UtxoNetwork
  adapter = createUtxoAdapter(network)
  wallet = testWallet(network)
  await node.call('createwallet', 'pegs')
  const text = z.string()
  await node.fund(text.parse(await node.call('getnewaddress', '', 'bech32')), 20n * LTC)
  await node.mine(ACTIVATION - 1 - Number(await node.call('getblockcount')))
  // The node's whole wallet goes into the extension block, with the block that activates it.
  const inside = text.parse(await node.call('getnewaddress', '', 'mweb'))
  await node.call('sendtoaddress', inside, 20, '', '', true)
  await node.mine(1)
})
afterAll(async () => {
  await adapter?.close()
  await node?.stop()
})

test('finds, describes and spends a deposit that pegs out of the extension block in its HogEx', async () => {
  const info = z.object({ softforks: z.object({ mweb: z.object({ active: z.boolean() }) }) })
  expect(info.parse(await node.call('getblockchaininfo')).softforks.mweb.active).toBe(true)
  const key = wallet.key(0)
  const pegOut = z.string().parse(await node.call('sendtoaddress', key.address, 3))
  // In the mempool it has no visible output yet.
  const look = await adapter.mempool(new Set())
  expect(look.txids.has(pegOut)).toBe(true)
  expect(look.transfers.filter((each) => each.amount === 3n * LTC)).toEqual([])
  await node.mine(1)
  const { height } = await adapter.head()
  const [block] = await adapter.blocks(height, height)
  const transfer = block?.transfers.find((each) => each.amount === 3n * LTC)
  if (!block || !transfer) throw new Error('The deposit was not found')
  // The last transaction of the block is the HogEx.
  expect(transfer.txid).toBe(block.txids.at(-1))
  const [details] = await adapter.describe([transfer])
  expect(details?.destinations).toContainEqual({ address: key.address, amount: 3n * LTC })

  // An output of a HogEx is spendable after six blocks.
  await node.mine(6)
  const coin: SpendableOutput = { ...key, txid: transfer.txid, vout: transfer.index, amount: 3n * LTC }
  const recipient = faucetKey(randomBytes(32), LITECOIN_REGTEST).address
  const built = await adapter.build({
    outputs: [{ address: recipient, amount: LTC }],
    change: wallet.key(1, 1),
    candidates: [coin],
    required: [],
    feeRate: 10,
    feeLimit: 1_000_000n,
    feePayer: 'sender',
  })
  if (built.kind !== 'built') throw new Error(built.kind)
  const raw = wallet.sign(built.payload.psbt)
  const { txid, fee } = adapter.verifySigned(built.payload, raw)
  expect(fee).toBe(built.fee)
  expect(await adapter.broadcast(raw)).toEqual({ kind: 'accepted' })
  expect(await adapter.outcome(txid)).toEqual({ kind: 'mempool' })
  await node.mine(1)
  expect(await adapter.outcome(txid)).toMatchObject({ kind: 'mined', fee, confirmations: 1 })
  expect(await adapter.balance(recipient, 'ltc')).toBe(LTC)
})

test('reads every block before and after the activation whole', async () => {
  const { height } = await adapter.head()
  let parent = ''
  for (let next = ACTIVATION - 5; next <= height; ) {
    const blocks = await adapter.blocks(next, height)
    for (const block of blocks) {
      if (parent) expect(block.parentHash).toBe(parent)
      const listed = z.object({ tx: z.array(z.string()) }).parse(await node.call('getblock', block.hash, 1))
      expect(block.txids).toEqual(listed.tx)
      parent = block.hash
    }
    next += blocks.length
  }
})

test('is read by the auditor as the node itself shows it, before and after the activation', async () => {
  const verbose = z.object({
    previousblockhash: z.string(),
    tx: z.array(
      z.object({
        txid: z.string(),
        vin: z.array(z.object({ txid: z.string().optional(), vout: z.number().optional() })),
        vout: z.array(
          z.object({ n: z.int(), value: z.number(), scriptPubKey: z.object({ hex: z.string() }) }),
        ),
      }),
    ),
  })
  const { height } = await adapter.head()
  for (let at = ACTIVATION - 2; at <= height; at++) {
    const hash = z.string().parse(await node.call('getblockhash', at))
    const block = readBlock(Buffer.from(String(await node.call('getblock', hash, 0)), 'hex'), hash)
    const shown = verbose.parse(await node.call('getblock', hash, 2))
    expect(block.parentHash).toBe(shown.previousblockhash)
    expect(block.outputs).toEqual(
      shown.tx.flatMap(({ txid, vout }) =>
        vout.map(({ n, value, scriptPubKey }) => ({
          txid,
          vout: n,
          amount: BigInt(Math.round(value * 1e8)),
          script: scriptPubKey.hex,
        })),
      ),
    )
    expect(block.spends).toEqual(
      shown.tx.flatMap(({ txid: by, vin }) =>
        vin.flatMap(({ txid, vout }) => (txid === undefined ? [] : [{ by, txid, vout }])),
      ),
    )
  }
})
