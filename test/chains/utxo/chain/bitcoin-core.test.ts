/** Reads answers of Bitcoin Core that btcd does not give, on a scripted node. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Transaction } from 'bitcoinjs-lib'
import { afterEach, describe, expect, test } from 'vitest'
import { createUtxoAdapter } from '../../../../chains/utxo/create-utxo-adapter.js'
import { scriptOfKey } from '../../../../chains/utxo/spend/script-of-key.js'
import { type Script, ScriptedError, scriptedNode } from '../scripted-node.js'
import { testNetwork } from '../test-network.js'
import { testWallet } from '../test-wallet.js'

const open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

async function adapterOn(
  script: Record<string, (...params: never[]) => unknown>,
  startHeight: number | null = null,
) {
  const node = await scriptedNode({
    getnetworkinfo: () => ({ subversion: '/Satoshi:29.0.0/' }),
    getmempoolinfo: () => ({ mempoolminfee: 0.00001 }),
    ...script,
  } as Script)
  const adapter = createUtxoAdapter({ ...testNetwork(node.url), startHeight })
  open.push(
    () => adapter.close(),
    () => node.stop(),
  )
  return { adapter, node }
}

const refuse = (code: number, message: string) => () => {
  throw new ScriptedError(code, message)
}

describe('feeRate', () => {
  test('is the smart fee times the multiplier of the priority', async () => {
    const asked: number[] = []
    const { adapter } = await adapterOn({
      estimatesmartfee: (blocks: number) => {
        asked.push(blocks)
        return { feerate: 0.0002, blocks }
      },
    })
    expect(await adapter.feeRate('low')).toBe(16)
    expect(await adapter.feeRate('normal')).toBe(20)
    expect(await adapter.feeRate('high')).toBe(30)
    expect(await adapter.feeRate('urgent')).toBe(40)
    expect(asked).toEqual([6, 3, 2, 2])
  })

  test('is the fallback if the node has no estimate yet', async () => {
    const { adapter } = await adapterOn({
      estimatesmartfee: () => ({ errors: ['Insufficient data'], blocks: 2 }),
    })
    expect(await adapter.feeRate('normal')).toBe(testNetwork().fees.fallbackRate)
    expect(await adapter.feeRate('urgent')).toBe(testNetwork().fees.fallbackRate * 2)
  })

  test("stays inside the network’s bounds and above the mempool's minimum", async () => {
    const high = await adapterOn({ estimatesmartfee: () => ({ feerate: 0.9 }) })
    expect(await high.adapter.feeRate('normal')).toBe(testNetwork().fees.maxRate)
    const low = await adapterOn({ estimatesmartfee: () => ({ feerate: 0.000001 }) })
    expect(await low.adapter.feeRate('normal')).toBe(testNetwork().fees.minRate)
    const full = await adapterOn({
      estimatesmartfee: () => ({ feerate: 0.00001 }),
      getmempoolinfo: () => ({ mempoolminfee: 0.00012 }),
    })
    expect(await full.adapter.feeRate('low')).toBe(12)
  })
})

describe('broadcast', () => {
  const transaction = new Transaction()
  transaction.addInput(Buffer.alloc(32, 1), 0)
  transaction.addOutput(Buffer.from('6a', 'hex'), 0n)
  const raw = transaction.toHex()
  const unknownTransaction = refuse(
    -5,
    'No such mempool or blockchain transaction. Use gettransaction for wallet transactions.',
  )

  test.each([
    [-27, 'Transaction already in block chain'],
    [-27, 'Transaction outputs already in utxo set'],
    [-26, 'txn-already-in-mempool'],
    [-26, 'txn-already-known'],
    [-26, 'txn-same-nonwitness-data-in-mempool'],
  ])('takes %i %s for no failure', async (code, message) => {
    const { adapter } = await adapterOn({ sendrawtransaction: refuse(code, message) })
    expect(await adapter.broadcast(raw)).toEqual({ kind: 'already_known' })
  })

  test.each([
    [-26, 'txn-mempool-conflict', 'conflict'],
    [-26, 'insufficient fee, rejecting replacement', 'insufficient_fee'],
    [-26, 'min relay fee not met, 10 < 110', 'insufficient_fee'],
    [-26, 'mempool min fee not met', 'insufficient_fee'],
    [-25, 'bad-txns-inputs-missingorspent', 'missing_inputs'],
    [-25, 'Missing inputs', 'missing_inputs'],
    [-25, 'Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)', 'fee_too_high'],
    [-22, 'TX decode failed. Make sure the tx has at least one input.', 'malformed'],
    [-26, 'non-mandatory-script-verify-flag (Witness program hash mismatch)', 'invalid'],
    [-26, 'dust', 'invalid'],
  ])('reads %i %s as rejected: %s', async (code, message, reason) => {
    const { adapter } = await adapterOn({
      sendrawtransaction: refuse(code, message),
      getrawtransaction: unknownTransaction,
    })
    expect(await adapter.broadcast(raw)).toEqual({ kind: 'rejected', reason: `${reason}: ${message}` })
  })

  test('recognises its own transaction behind spent inputs', async () => {
    const { adapter } = await adapterOn({
      sendrawtransaction: refuse(-25, 'bad-txns-inputs-missingorspent'),
      getrawtransaction: () => raw,
    })
    expect(await adapter.broadcast(raw)).toEqual({ kind: 'already_known' })
  })

  test.each([
    [-25, 'Mempool internal error'],
    [-31, 'Error: Peer-to-peer functionality missing or disabled'],
    [-32603, 'Internal error'],
  ])('reports unknown after %i %s', async (code, message) => {
    const { adapter } = await adapterOn({
      sendrawtransaction: refuse(code, message),
      getrawtransaction: refuse(-1, 'busy'),
    })
    expect(await adapter.broadcast(raw)).toMatchObject({ kind: 'unknown' })
  })

  test('reports unknown when no node answers', async () => {
    const adapter = createUtxoAdapter(testNetwork('http://127.0.0.1:1'))
    open.push(() => adapter.close())
    expect(await adapter.broadcast(raw)).toMatchObject({ kind: 'unknown' })
  })

  test('does not trust a rejection after another node may have taken it', async () => {
    const hanging = createServer(() => {})
    await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve))
    const first = `http://127.0.0.1:${(hanging.address() as AddressInfo).port}`
    const node = await scriptedNode({ sendrawtransaction: refuse(-26, 'txn-mempool-conflict') })
    const rpcUrls = [first, node.url]
    const adapter = createUtxoAdapter({ ...testNetwork(), rpcUrls }, { timeoutMs: 200, retryEndpointMs: 0 })
    open.push(
      () => adapter.close(),
      () => node.stop(),
      async () => {
        hanging.closeAllConnections()
        hanging.close()
      },
    )
    expect(await adapter.broadcast(raw)).toMatchObject({ kind: 'unknown' })
  })

  test('trusts it when the other node was not there at all', async () => {
    const node = await scriptedNode({ sendrawtransaction: refuse(-26, 'txn-mempool-conflict') })
    const adapter = createUtxoAdapter({ ...testNetwork(), rpcUrls: ['http://127.0.0.1:1', node.url] })
    open.push(
      () => adapter.close(),
      () => node.stop(),
    )
    expect(await adapter.broadcast(raw)).toMatchObject({ kind: 'rejected' })
  })
})

describe('balance and used', () => {
  const wallet = testWallet(testNetwork())
  const { address } = wallet.key(0)
  const other = wallet.key(1).address
  const scan = (_action: string, descriptors: string[]) => {
    expect(descriptors).toContain(`addr(${address})`)
    const key = Buffer.from(wallet.key(0).publicKey, 'hex')
    return { success: true, unspents: [unspent(key, 0.1), unspent(key, 20_999_999.00000003)] }
  }

  test('come from the set of unspent outputs, to the unit', async () => {
    const { adapter } = await adapterOn({ scantxoutset: scan })
    expect(await adapter.balance(address, 'btc')).toBe(10_000_000n + 2_099_999_900_000_003n)
  })

  test('use the block filters if the node has them', async () => {
    const { adapter, node } = await adapterOn(
      {
        getblockchaininfo: () => ({ blocks: 900_000, bestblockhash: 'ff' }),
        scanblocks: (_action: string, descriptors: string[], from: number) => {
          expect(descriptors).toEqual([`addr(${address})`, `addr(${other})`])
          expect(from).toBe(5)
          return { relevant_blocks: [] }
        },
      },
      5,
    )
    expect(await adapter.used([address, other])).toEqual([false, false])
    expect(node.methods).not.toContain('scantxoutset')
  })

  test('fall back to unspent outputs on a long chain without filters', async () => {
    const { adapter } = await adapterOn({
      getblockchaininfo: () => ({ blocks: 900_000, bestblockhash: 'ff' }),
      scanblocks: refuse(-1, 'Index is not enabled for filtertype basic'),
      scantxoutset: scan,
    })
    expect(await adapter.used([address, other])).toEqual([true, false])
  })
})

test('asks for a transaction index by name when the node has none', async () => {
  const { adapter } = await adapterOn({
    getrawtransaction: refuse(
      -5,
      'No such mempool transaction. Use -txindex or provide a block hash to enable blockchain transaction queries.',
    ),
  })
  await expect(adapter.outcome('00'.repeat(32))).rejects.toThrow(/txindex=1/)
})

function unspent(publicKey: Buffer, amount: number) {
  return { scriptPubKey: scriptOfKey(publicKey, 'p2wpkh').toString('hex'), amount }
}
