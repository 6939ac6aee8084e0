/** Reads the native, internal and token transfers of a block of an EVM chain. */

import { encodeFunctionData, erc20Abi, type Hex } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FAUCET, type Lab, shortly, startLab } from './lab.js'

const ALICE = '0x00000000000000000000000000000000000a11ce'
const BOB = '0x0000000000000000000000000000000000000b0b'

let lab: Lab
beforeAll(async () => {
  lab = await startLab()
})
afterAll(() => lab?.stop())

const transferData = (to: Hex, amount: bigint) =>
  encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args: [to, amount] })

describe('the transfers of a block', () => {
  test('give a native transfer ordinal 0, and leave out zero amounts and transfers to oneself', async () => {
    const paid = await lab.send({ to: ALICE, value: 5n })
    await lab.send({ to: ALICE, value: 0n })
    await lab.send({ to: FAUCET, value: 7n })
    const block = await lab.mineBlock()
    expect(block.txids).toHaveLength(3)
    expect(shortly(block.transfers)).toEqual([`${paid} 0 ${ALICE} eth 5`])
    expect(block.spends).toEqual([])
  })

  test('read a token that returns nothing from its log', async () => {
    const paid = await lab.send({ to: lab.usdt.address, data: transferData(ALICE, 1_500_000n) })
    const block = await lab.mineBlock()
    expect(shortly(block.transfers)).toEqual([`${paid} 1 ${ALICE} usdt 1500000`])
  })

  test('count minted tokens, and not a token that is not configured', async () => {
    await lab.usdt.mint(ALICE, 9n)
    const without = lab.open({ coins: lab.network.coins.slice(0, 1) })
    const block = await lab.mineBlock()
    expect(block.transfers.map(({ coin, amount }) => [coin, amount])).toEqual([['usdt', 9n]])
    expect((await lab.lastBlock(without)).transfers).toEqual([])
  })

  test('keep the place of several token transfers of one transaction among all of its logs', async () => {
    await lab.send({ to: lab.usdt.address, data: transferData(lab.contracts.lab, 100n) })
    const paid = await lab.callLab('payTokens', [lab.usdt.address, ALICE, 10n, 20n])
    const block = await lab.mineBlock()
    // Logs: noise, transfer, noise, transfer, transfer of 0. The first transaction's log moves no ordinal of
    // the second's.
    expect(shortly(block.transfers).slice(1)).toEqual([
      `${paid} 2 ${ALICE} usdt 10`,
      `${paid} 4 ${ALICE} usdt 20`,
    ])
  })

  test('credit a token that keeps a fee with the amount of its log', async () => {
    const paid = await lab.send({ to: lab.contracts.fee, data: transferData(ALICE, 100n) })
    const block = await lab.mineBlock()
    expect(shortly(block.transfers)).toEqual([
      `${paid} 1 ${lab.contracts.fee.toLowerCase()} feetoken 10`,
      `${paid} 2 ${ALICE} feetoken 90`,
    ])
  })

  test('find internal transfers by the trace, each with an ordinal of its own', async () => {
    const paid = await lab.callLab('payThree', [ALICE, BOB], 50n)
    const block = await lab.mineBlock()
    expect(shortly(block.transfers)).toEqual([
      `${paid} 0 ${lab.contracts.lab.toLowerCase()} eth 50`,
      `${paid} 1000001 ${ALICE} eth 1`,
      `${paid} 1000002 ${BOB} eth 2`,
      `${paid} 1000003 ${ALICE} eth 3`,
    ])
  })

  test('leave out a transaction that failed', async () => {
    await lab.callLab('payAndRevert', [ALICE, 5n], 50n)
    await lab.send({
      to: lab.usdt.address,
      data: transferData('0x0000000000000000000000000000000000000000', 1n),
    })
    const block = await lab.mineBlock()
    expect(block.txids).toHaveLength(2)
    expect(block.transfers).toEqual([])
  })

  test('leave out an inner call that was undone, and keep those that follow it', async () => {
    const paid = await lab.callLab('payAndSwallow', [ALICE, 5n], 50n)
    const block = await lab.mineBlock()
    // Root, undone call, undone payment below it, then the payment that holds.
    expect(shortly(block.transfers)).toEqual([
      `${paid} 0 ${lab.contracts.lab.toLowerCase()} eth 50`,
      `${paid} 1000003 ${ALICE} eth 1`,
    ])
  })

  test('give a delegate call only its own transfers', async () => {
    const paid = await lab.callLab('payByDelegate', [lab.contracts.lab, ALICE, 7n], 50n)
    const block = await lab.mineBlock()
    expect(shortly(block.transfers).slice(1)).toEqual([`${paid} 1000002 ${ALICE} eth 7`])
  })

  test('pay the balance of a self-destruct', async () => {
    const before = await lab.adapter.balance(BOB, 'eth')
    const paid = await lab.callLab('destructTo', [BOB], 11n)
    const block = await lab.mineBlock()
    expect(shortly(block.transfers).slice(1)).toEqual([`${paid} 1000003 ${BOB} eth 11`])
    expect(await lab.adapter.balance(BOB, 'eth')).toBe(before + 11n)
  })

  test('add up to what the chain says an address holds', async () => {
    const head = await lab.adapter.head()
    const held = new Map<string, bigint>()
    for (let from = 0; from <= head.height; ) {
      const blocks = await lab.adapter.blocks(from, head.height)
      for (const { coin, payee, amount } of blocks.flatMap((block) => block.transfers)) {
        const key = `${coin} 0x${payee}`
        held.set(key, (held.get(key) ?? 0n) + amount)
      }
      from += blocks.length
    }
    for (const address of [ALICE, BOB])
      for (const coin of ['eth', 'usdt', 'feetoken'])
        expect([address, coin, held.get(`${coin} ${address}`) ?? 0n]).toEqual([
          address,
          coin,
          await lab.adapter.balance(address, coin),
        ])
  })
})

describe('a node without trace_block', () => {
  test('shows the same native and token transfers, and no internal ones', async () => {
    const plain = lab.open({ traceBlock: false })
    const native = await lab.send({ to: ALICE, value: 5n })
    const failed = await lab.callLab('payAndRevert', [ALICE, 5n], 50n)
    const inner = await lab.callLab('payThree', [ALICE, BOB], 6n)
    const token = await lab.send({ to: lab.usdt.address, data: transferData(ALICE, 3n) })
    const traced = await lab.mineBlock()
    const block = await lab.lastBlock(plain)
    expect(block.txids).toEqual([native, failed, inner, token])
    expect(shortly(block.transfers)).toEqual(
      shortly(traced.transfers.filter(({ index }) => index < 1_000_000)),
    )
    expect(block.transfers).toHaveLength(3)
  })
})

describe('a range', () => {
  test('has no gap, is linked by parent hash, and reaches the end', async () => {
    await lab.anvil.mine(150)
    const { height } = await lab.adapter.head()
    const seen = []
    for (let from = 0; from <= height; ) {
      const blocks = await lab.adapter.blocks(from, height)
      expect(blocks.length).toBeGreaterThan(0)
      seen.push(...blocks)
      from += blocks.length
    }
    expect(seen.map((block) => block.height)).toEqual(Array.from({ length: height + 1 }, (_, at) => at))
    for (const [at, block] of seen.entries()) if (at > 0) expect(block.parentHash).toBe(seen[at - 1]?.hash)
    expect(seen.at(-1)?.hash).toBe(await lab.adapter.hashAt(height))
  })

  test('has no hash above the tip, and a retryable error instead of a block', async () => {
    const { height } = await lab.adapter.head()
    expect(await lab.adapter.hashAt(height + 1)).toBeNull()
    const [top] = await lab.adapter.blocks(height, height)
    expect(await lab.adapter.timeAt(height)).toBe(top?.time)
    expect(await lab.adapter.timeAt(height + 1)).toBeNull()
    expect(await lab.adapter.syncing()).toBeNull()
    await expect(lab.adapter.blocks(height + 1, height + 1)).rejects.toMatchObject({
      code: 'DEPENDENCY_UNAVAILABLE',
      retryable: true,
    })
    const [last, ...none] = await lab.adapter.blocks(height, height + 5)
    expect([last?.height, none]).toEqual([height, []])
  })
})

describe('a reorg', () => {
  test('changes the hashes and keeps the ordinals of a transaction that is mined again', async () => {
    await lab.send({ to: lab.usdt.address, data: transferData(lab.contracts.lab, 100n) })
    await lab.anvil.mine()
    const tokens = await lab.callLab('payTokens', [lab.usdt.address, ALICE, 10n, 20n])
    const inner = await lab.callLab('payThree', [ALICE, BOB], 50n)
    const before = await lab.mineBlock()
    await lab.anvil.mine(2)
    const signed = await Promise.all(
      [tokens, inner].map((txid) => lab.anvil.call('eth_getRawTransactionByHash', txid)),
    )
    // A transaction of another account goes first in the new block, so that block-wide log indexes move.
    const [, other] = (await lab.anvil.call('eth_accounts')) as [string, string]
    const noise = { from: other, to: lab.usdt.address, gas: '0x2dc6c0', data: transferData(BOB, 0n) }
    await lab.anvil.call('anvil_reorg', 3, [
      [noise, 0],
      [signed[0], 0],
      [signed[1], 0],
    ])
    expect(await lab.adapter.hashAt(before.height)).not.toBe(before.hash)
    const [again] = await lab.adapter.blocks(before.height, before.height)
    expect(again?.txids.slice(1)).toEqual([tokens, inner])
    expect(shortly(again?.transfers ?? [])).toEqual(shortly(before.transfers))
    expect(again?.hash).not.toBe(before.hash)
  })
})
