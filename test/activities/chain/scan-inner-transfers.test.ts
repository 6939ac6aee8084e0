/** Scans transfers inside of contract calls, on nodes with and without traces. */

import { getAddress } from 'viem'
import { afterEach, expect, test } from 'vitest'
import { advanceChain } from '../../../activities/chain/advance-chain.js'
import { createEvmAdapter } from '../../../chains/evm/create-evm-adapter.js'
import { evmNetwork } from '../../chains/evm/lab.js'
import {
  Refusal,
  type ScriptedCall,
  type ScriptedNode,
  scriptedNode,
} from '../../chains/evm/scripted-node.js'
import { merchantWith } from '../../stage/deposit-steps.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'

const TRANSFERS = 3_000
const word = (value: number) => `0x${Math.max(0, value).toString(16).padStart(64, '0')}`
const SENDER = `0x${'5e'.repeat(20)}`
const CONTRACT = `0x${'c0'.repeat(20)}`

let database: TestDatabase
let node: ScriptedNode
afterEach(async () => {
  await node.stop()
  await database.drop()
})

/** Block 2 holds transactions that pay one address 3,000 times from inside a contract. */
function chainThatPays(payee: string, transactions: number) {
  const inBlock = (height: number) =>
    height === 2 ? Array.from({ length: transactions }, (_, index) => word(1_000 + index)) : []
  return ({ method, params }: ScriptedCall): unknown => {
    const height = params[0] === 'latest' ? 2 : Number(params[0])
    const where = { blockHash: word(height), blockNumber: `0x${height.toString(16)}` }
    if (method === 'eth_getTransactionByHash') return { from: SENDER, nonce: '0x7', hash: params[0] }
    if (method === 'eth_getTransactionReceipt') {
      return { ...receipt(String(params[0])), blockHash: word(2), blockNumber: '0x2' }
    }
    if (method === 'eth_blockNumber') return '0x2'
    if (height > 2) return null
    switch (method) {
      case 'eth_getBlockByNumber':
        return {
          number: where.blockNumber,
          hash: word(height),
          parentHash: word(height - 1),
          timestamp: '0x1',
          transactions: inBlock(height),
        }
      case 'eth_blockNumber':
        return '0x0'
      case 'eth_getBlockReceipts':
        return inBlock(height).map((txid) => ({ ...receipt(txid), ...where }))
      case 'trace_block':
        return inBlock(height).flatMap((transactionHash) => {
          const trace = (traceAddress: number[], from: string, to: string, value: string) => ({
            ...where,
            transactionHash,
            traceAddress,
            type: 'call',
            action: { callType: 'call', from, to, value },
          })
          return [
            trace([], SENDER, CONTRACT, '0x0'),
            ...Array.from({ length: TRANSFERS / transactions }, (_, index) =>
              trace([index], CONTRACT, `0x${payee}`, '0x5'),
            ),
          ]
        })
      default:
        return new Refusal(-32601, `Method ${method} not found`)
    }
  }
}

const receipt = (transactionHash: string) => ({
  transactionHash,
  from: SENDER,
  status: '0x1',
  gasUsed: '0x64',
  effectiveGasPrice: '0x3',
  logs: [],
})

test.each([1, 1_500])(
  'traces a block with 3,000 inner transfers in %i transactions once, and describes each',
  async (transactions) => {
    database = await freshDatabase()
    const { sql } = database
    const merchant = await merchantWith(sql)
    const alice = await merchant.address('ethereum', 'alice')
    node = await scriptedNode(chainThatPays(alice.payee, transactions))
    const network = { ...evmNetwork([node.url]), traceBlock: true, startHeight: 1 }
    const adapter = createEvmAdapter(network)
    try {
      await advanceChain(sql, adapter)
    } finally {
      await adapter.close()
    }
    const [found] = await sql`
      SELECT count(*)::int AS count, sum(amount)::int AS paid, count(DISTINCT output_index)::int AS places, max(fee) AS fee,
             min(sources -> 0 ->> 'address') AS payer FROM deposits WHERE user_reference = 'alice'`
    expect(found).toEqual({
      count: TRANSFERS,
      paid: 5 * TRANSFERS,
      places: TRANSFERS / transactions,
      fee: 300n,
      payer: getAddress(CONTRACT),
    })
    const asked = (method: string) =>
      node.batches.flatMap((batch) => batch.calls).filter((call) => call.method === method).length
    // One a block: there are two.
    expect(asked('trace_block')).toBe(2)
    expect(asked('eth_getBlockReceipts')).toBeLessThanOrEqual(3)
    expect(asked('eth_getTransactionReceipt')).toBeLessThanOrEqual(1)
    // One more where the node is asked whether it can look transactions up at all.
    expect(asked('eth_getTransactionByHash')).toBeLessThanOrEqual(transactions + 1)
    expect(node.batches.length).toBeLessThan(40)
    const inputs = await sql`SELECT DISTINCT prev_txid, prev_vout FROM deposit_inputs`
    expect(inputs).toEqual([{ prev_txid: SENDER, prev_vout: 7 }])
  },
)
