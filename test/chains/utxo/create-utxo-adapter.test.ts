/** Runs the adapter on a real btcd, as the local stack does. */

import { Block, Psbt, Transaction } from 'bitcoinjs-lib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { SpendableOutput, UtxoAdapter, UtxoBuildRequest } from '../../../chains/adapter.js'
import { createUtxoAdapter } from '../../../chains/utxo/create-utxo-adapter.js'
import { scriptOfKey } from '../../../chains/utxo/spend/script-of-key.js'
import { type TestBitcoin, testBtcd } from '../../support/btcd.js'
import { testNetwork } from './test-network.js'
import { type OwnKey, testWallet } from './test-wallet.js'

let node: TestBitcoin
let adapter: UtxoAdapter
let used = 0
const wallet = testWallet(testNetwork())
/** Each test has addresses of its own. */
const freshKey = () => wallet.key(used++)
const freshChange = () => wallet.key(used++, 1)
const payeeOf = (key: OwnKey) =>
  scriptOfKey(Buffer.from(key.publicKey, 'hex'), 'p2wpkh').subarray(2).toString('hex')

beforeAll(async () => {
  node = await testBtcd()
  adapter = createUtxoAdapter(testNetwork(node.rpc))
})
afterAll(async () => {
  await adapter?.close()
  await node?.stop()
})
beforeEach(async () => {
  await node.mine()
})

/** Pays a key from the faucet, in a block. */
async function funded(amount: bigint, key = freshKey()): Promise<SpendableOutput> {
  const txid = await node.fund(key.address, amount)
  await node.mine()
  const [look] = await adapter.describe([{ txid, index: 0, payee: payeeOf(key), coin: 'btc', amount }])
  const vout = look?.destinations.findIndex((each) => each.address === key.address) ?? -1
  return { ...key, txid, vout, amount }
}

function payment(
  candidates: SpendableOutput[],
  amount: bigint,
  changes: Partial<UtxoBuildRequest> = {},
): UtxoBuildRequest {
  return {
    outputs: [{ address: node.faucet.address, amount }],
    change: freshChange(),
    candidates,
    required: [],
    feeRate: 5,
    feeLimit: 100_000n,
    feePayer: 'sender',
    ...changes,
  }
}

async function signedPayout(
  candidates: SpendableOutput[],
  amount: bigint,
  changes: Partial<UtxoBuildRequest> = {},
) {
  const result = await adapter.build(payment(candidates, amount, changes))
  if (result.kind !== 'built') throw new Error(result.kind)
  const raw = wallet.sign(result.payload.psbt)
  return { ...result, raw, ...adapter.verifySigned(result.payload, raw) }
}

describe('the chain', () => {
  test('has a head, hashes by height and nothing above the tip', async () => {
    const head = await adapter.head()
    expect(head.height).toBe(await node.call('getblockcount'))
    expect(head.hash).toBe(await node.call('getbestblockhash'))
    expect(await adapter.hashAt(0)).toBe('0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206')
    expect(await adapter.hashAt(head.height)).toBe(head.hash)
    expect(await adapter.hashAt(head.height + 1)).toBeNull()
    const [block] = await adapter.blocks(head.height, head.height)
    expect(await adapter.timeAt(head.height)).toBe(block?.time)
    expect(await adapter.timeAt(head.height + 1)).toBeNull()
    expect(await adapter.syncing()).toBeNull()
  })

  test('comes as consecutive blocks that agree with bitcoinjs-lib', async () => {
    const key = freshKey()
    await node.fund(key.address, 70_000n)
    await node.mine()
    const { height } = await adapter.head()
    const blocks = []
    for (let next = 1; next <= height; ) {
      const more = await adapter.blocks(next, height)
      expect(more.length).toBeGreaterThan(0)
      blocks.push(...more)
      next += more.length
    }
    expect(blocks.map((each) => each.height)).toEqual(Array.from({ length: height }, (_, i) => i + 1))
    for (const [index, block] of blocks.entries()) {
      if (index > 0) expect(block.parentHash).toBe(blocks[index - 1]?.hash)
    }
    for (const block of blocks.slice(-10)) {
      const golden = Block.fromHex(z.string().parse(await node.call('getblock', block.hash, 0)))
      const transactions = golden.transactions ?? []
      expect(block.hash).toBe(golden.getId())
      expect(block.time).toBe(golden.timestamp)
      expect(block.txids).toEqual(transactions.map((each) => each.getId()))
      expect(block.spends).toEqual(
        transactions.slice(1).flatMap((each) =>
          each.ins.map((input) => ({
            txid: each.getId(),
            prevTxid: Buffer.from(input.hash).reverse().toString('hex'),
            prevVout: input.index,
          })),
        ),
      )
    }
    expect(blocks.at(-1)?.transfers.filter((each) => each.payee === payeeOf(key))).toEqual([
      {
        txid: blocks.at(-1)?.txids[1],
        index: expect.any(Number),
        payee: payeeOf(key),
        coin: 'btc',
        amount: 70_000n,
      },
    ])
    expect(await adapter.blocks(height + 1, height + 5)).toEqual([])
  })

  test('marks what was mined, and pays it to the miner’s own address', async () => {
    const { height } = await adapter.head()
    const [block] = await adapter.blocks(height, height)
    expect(block?.transfers).toHaveLength(1)
    expect(block?.transfers[0]).toMatchObject({ coinbase: true, txid: block?.txids[0] })
    const [details] = await adapter.describe(block!.transfers)
    expect(details).toMatchObject({ sources: [], fee: 0n, spends: [] })
    expect(details?.destinations[0]?.address).toBe(node.faucet.address)
  })

  test('shows several outputs to one address as several transfers', async () => {
    const key = freshKey()
    const amounts = [11_000n, 12_000n, 11_000n]
    const txid = await node.faucet.pay(amounts.map((amount) => ({ address: key.address, amount })))
    await node.mine()
    const { height } = await adapter.head()
    const [block] = await adapter.blocks(height, height)
    const mine = block?.transfers.filter((each) => each.payee === payeeOf(key)) ?? []
    expect(mine.map((each) => each.amount)).toEqual(amounts)
    expect(mine.map((each) => [each.txid, each.index])).toEqual([0, 1, 2].map((index) => [txid, index]))
    expect(await adapter.balance(key.address, 'btc')).toBe(34_000n)
  })

  test('abandons a block, and mines its transaction again elsewhere', async () => {
    const key = freshKey()
    const txid = await node.fund(key.address, 50_000n)
    const [abandoned] = await node.mine()
    const before = await adapter.outcome(txid)
    expect(before).toMatchObject({ kind: 'mined', block: { hash: abandoned }, confirmations: 1 })
    const { height } = await adapter.head()

    await node.call('invalidateblock', abandoned)
    expect((await adapter.head()).height).toBe(height - 1)
    expect(await adapter.hashAt(height)).toBeNull()
    expect((await adapter.outcome(txid)).kind).not.toBe('mined')
    expect(await adapter.balance(key.address, 'btc')).toBe(0n)

    const [, tip] = await node.mine(2)
    expect(await adapter.hashAt(height)).not.toBe(abandoned)
    expect((await adapter.head()).hash).toBe(tip)
    const [first, second] = await adapter.blocks(height, height + 1)
    expect(second?.parentHash).toBe(first?.hash)
  })
})

describe('the mempool', () => {
  test('gives each transaction once, and forgets those that were mined', async () => {
    const key = freshKey()
    const txid = await node.fund(key.address, 90_000n)
    const first = await adapter.mempool(new Set())
    expect(first.txids.has(txid)).toBe(true)
    expect(first.transfers).toContainEqual(
      expect.objectContaining({ txid, payee: payeeOf(key), coin: 'btc', amount: 90_000n }),
    )
    expect(first.spends.some((spend) => spend.txid === txid)).toBe(true)

    const second = await adapter.mempool(first.txids)
    expect(second.txids).toEqual(first.txids)
    expect(second.transfers).toEqual([])
    await node.mine()
    expect((await adapter.mempool(first.txids)).txids.has(txid)).toBe(false)
  })
})

describe('describe', () => {
  test('reads payers, recipients and the fee', async () => {
    const coin = await funded(400_000n)
    const payee = freshKey()
    const request = payment([coin], 150_000n)
    const paid = await signedPayout([coin], 150_000n, {
      ...request,
      outputs: [{ address: payee.address, amount: 150_000n }],
    })
    expect(await adapter.broadcast(paid.raw)).toEqual({ kind: 'accepted' })
    const transfer = { txid: paid.txid, index: 0, payee: payeeOf(payee), coin: 'btc', amount: 150_000n }
    const expected = {
      sources: [{ address: coin.address, amount: 400_000n }],
      destinations: [
        { address: payee.address, amount: 150_000n },
        { address: request.change.address, amount: paid.change },
      ],
      fee: paid.fee,
      spends: [{ txid: paid.txid, prevTxid: coin.txid, prevVout: coin.vout }],
    }
    expect(await adapter.describe([transfer])).toEqual([expected])
    await node.mine()
    expect(await adapter.describe([transfer, transfer])).toEqual([expected, expected])
  })
})

describe('a payout', () => {
  test('is built, signed, verified, broadcast, mined and accounted for', async () => {
    const coins = [await funded(200_000n), await funded(300_000n)]
    const paid = await signedPayout(coins, 450_000n)
    expect(await adapter.outcome(paid.txid)).toEqual({ kind: 'unknown' })
    expect(await adapter.broadcast(paid.raw)).toEqual({ kind: 'accepted' })
    expect(await adapter.outcome(paid.txid)).toEqual({ kind: 'mempool' })
    const [hash] = await node.mine()
    const { height } = await adapter.head()
    expect(await adapter.outcome(paid.txid)).toEqual({
      kind: 'mined',
      block: { height, hash },
      confirmations: 1,
      fee: paid.fee,
      succeeded: true,
    })
    await node.mine(2)
    expect(await adapter.outcome(paid.txid)).toMatchObject({ confirmations: 3 })
    for (const coin of coins) expect(await adapter.balance(coin.address, 'btc')).toBe(0n)
  })

  test('is known when it is sent again: in the mempool, in a block, and when all it paid was spent', async () => {
    const coin = await funded(500_000n)
    const next = freshKey()
    const paid = await signedPayout([coin], 200_000n, {
      outputs: [{ address: next.address, amount: 500_000n }],
      feePayer: 'recipient',
    })
    expect(paid.change).toBe(0n)
    expect(await adapter.broadcast(paid.raw)).toEqual({ kind: 'accepted' })
    expect(await adapter.broadcast(paid.raw)).toEqual({ kind: 'already_known' })
    await node.mine()
    expect(await adapter.broadcast(paid.raw)).toEqual({ kind: 'already_known' })
    const onward = await signedPayout(
      [{ ...next, txid: paid.txid, vout: 0, amount: 500_000n - paid.fee }],
      400_000n,
    )
    expect(await adapter.broadcast(onward.raw)).toEqual({ kind: 'accepted' })
    await node.mine()
    expect(await adapter.broadcast(paid.raw)).toEqual({ kind: 'already_known' })
  })

  test('is rejected when another transaction, waiting or mined, spends its coin', async () => {
    const coin = await funded(500_000n)
    const paid = await signedPayout([coin], 200_000n)
    const rival = await signedPayout([coin], 210_000n)
    expect(await adapter.broadcast(paid.raw)).toEqual({ kind: 'accepted' })
    // Both are replaceable, so the node objects to the fee: the rival pays no more.
    expect(await adapter.broadcast(rival.raw)).toMatchObject({
      kind: 'rejected',
      reason: expect.stringMatching(/^insufficient_fee: /),
    })
    await node.mine()
    expect(await adapter.broadcast(rival.raw)).toMatchObject({
      kind: 'rejected',
      reason: expect.stringMatching(/^missing_inputs: /),
    })
    expect(await adapter.outcome(rival.txid)).toEqual({ kind: 'unknown' })
  })

  test('is replaced by one with the same anchor and a better fee', async () => {
    const coin = await funded(500_000n)
    const paid = await signedPayout([coin], 200_000n)
    await adapter.broadcast(paid.raw)
    const better = await signedPayout([], 200_000n, { required: [coin], feeRate: 25 })
    expect(await adapter.broadcast(better.raw)).toEqual({ kind: 'accepted' })
    expect(await adapter.outcome(paid.txid)).toEqual({ kind: 'unknown' })
    expect(await adapter.outcome(better.txid)).toEqual({ kind: 'mempool' })
    expect((await adapter.mempool(new Set())).txids.has(paid.txid)).toBe(false)
  })

  test('is rejected for a signature that does not fit, and for bytes that are no transaction', async () => {
    const coin = await funded(500_000n)
    const paid = await signedPayout([coin], 200_000n)
    const forged = Transaction.fromHex(paid.raw)
    forged.outs[0]!.value += 1_000n
    forged.outs[1]!.value -= 1_000n
    expect(await adapter.broadcast(forged.toHex())).toMatchObject({
      kind: 'rejected',
      reason: expect.stringMatching(/^invalid: /),
    })
    expect(await adapter.broadcast('00')).toMatchObject({
      kind: 'rejected',
      reason: expect.stringMatching(/^malformed: /),
    })
  })

  test('carries its parents whole, so that a signer can check every amount', async () => {
    const coin = await funded(500_000n)
    const { payload } = await signedPayout([coin], 200_000n)
    const [input] = Psbt.fromBase64(payload.psbt).data.inputs
    const parent = Transaction.fromBuffer(input!.nonWitnessUtxo!)
    expect(parent.getId()).toBe(coin.txid)
    expect(parent.outs[coin.vout]?.value).toBe(coin.amount)
  })
})

describe("the node's other answers", () => {
  test('give the rate of the configuration, because btcd estimates none', async () => {
    const { fallbackRate } = testNetwork().fees
    expect(await adapter.feeRate('normal')).toBe(fallbackRate)
    expect(await adapter.feeRate('high')).toBe(fallbackRate * 1.5)
  })

  test('name the used addresses, emptied ones among them', async () => {
    const coin = await funded(300_000n)
    const paid = await signedPayout([coin], 100_000n)
    await adapter.broadcast(paid.raw)
    await node.mine()
    expect(await adapter.balance(coin.address, 'btc')).toBe(0n)
    expect(await adapter.used([freshKey().address, coin.address])).toEqual([false, true])
  })

  test('are the same without an address index, by an own scan', async () => {
    const coin = await funded(300_000n)
    const scanning = createUtxoAdapter(testNetwork(node.rpc), { flavour: 'core' })
    expect(await scanning.used([freshKey().address, coin.address])).toEqual([false, true])
    await scanning.close()
  })

  test('are refused for a coin that the network does not have', async () => {
    await expect(adapter.balance(freshKey().address, 'usdt')).rejects.toMatchObject({
      code: 'UNSUPPORTED_COIN',
    })
  })
})
