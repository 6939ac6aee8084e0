/** Shows pending transfers of an EVM chain. */

import { encodeFunctionData, erc20Abi, type Hex } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EvmAdapter } from '../../../chains/adapter.js'
import { FAUCET, type Lab, shortly, startLab } from './lab.js'
import { Refusal, type ScriptedNode, scriptedNode } from './scripted-node.js'

const ALICE = '0x00000000000000000000000000000000000a11ce'
const NOTHING: ReadonlySet<string> = new Set()

let lab: Lab
/** Opens the same node as one that offers neither the pool nor simulation. */
let plainNode: ScriptedNode
let plain: EvmAdapter
beforeAll(async () => {
  lab = await startLab()
  plainNode = await scriptedNode(({ method, params }) =>
    ['txpool_content', 'eth_simulateV1'].includes(method)
      ? new Refusal(-32601, `the method ${method} does not exist/is not available`)
      : lab.anvil.call(method, ...params),
  )
  plain = lab.open({ rpcUrls: [plainNode.url] })
})
afterAll(async () => {
  await lab?.stop()
  await plainNode?.stop()
})

const transferData = (to: Hex, amount: bigint) =>
  encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args: [to, amount] })

test('gives pending transfers the ordinals and amounts that they have when mined', async () => {
  const native = await lab.send({ to: ALICE, value: 5n })
  const token = await lab.send({ to: lab.usdt.address, data: transferData(ALICE, 7n) })
  const withFee = await lab.send({ to: lab.contracts.fee, data: transferData(ALICE, 100n) })
  const failing = await lab.send({ to: lab.usdt.address, data: transferData(ALICE, 10n ** 30n) })
  const look = await lab.adapter.mempool(NOTHING)
  expect(look.txids).toEqual(new Set([native, token, withFee, failing]))
  const pending = shortly(look.transfers).sort()
  expect(pending).toContain(`${withFee} 2 ${ALICE} feetoken 90`)
  const block = await lab.mineBlock()
  expect(pending).toEqual(shortly(block.transfers).sort())
  expect(pending).toHaveLength(4)
  expect((await lab.adapter.mempool(look.txids)).txids).toEqual(NOTHING)
})

test('announces a transaction once, and drops one that was replaced', async () => {
  const first = await lab.send({ to: ALICE, value: 5n })
  const seen = (await lab.adapter.mempool(NOTHING)).txids
  const again = await lab.adapter.mempool(seen)
  expect([again.txids, again.transfers]).toEqual([new Set([first]), []])
  const nonce = await lab.anvil.call('eth_getTransactionCount', FAUCET, 'latest')
  const replacement = await lab.anvil.call('eth_sendTransaction', {
    from: FAUCET,
    to: ALICE,
    value: '0x6',
    nonce,
    maxFeePerGas: '0x2540be400',
    maxPriorityFeePerGas: '0x2540be400',
  })
  const after = await lab.adapter.mempool(seen)
  expect(after.txids).toEqual(new Set([replacement]))
  expect(after.transfers).toMatchObject([{ txid: replacement, amount: 6n }])
  await lab.anvil.mine()
})

test('does not announce a transaction behind a gap of nonces before the gap is filled', async () => {
  const nonce = Number(await lab.anvil.call('eth_getTransactionCount', FAUCET, 'latest'))
  const queued = (await lab.anvil.call('eth_sendTransaction', {
    from: FAUCET,
    to: ALICE,
    value: '0x9',
    nonce: `0x${(nonce + 1).toString(16)}`,
  })) as string
  expect(await lab.adapter.mempool(NOTHING)).toMatchObject({ txids: NOTHING, transfers: [] })
  // One that was announced and fell behind a gap has not left.
  expect((await lab.adapter.mempool(new Set([queued]))).txids).toEqual(new Set([queued]))
  const filling = await lab.send({ to: ALICE, value: 1n })
  const look = await lab.adapter.mempool(NOTHING)
  expect(look.txids).toEqual(new Set([filling, queued]))
  expect(look.transfers.map(({ amount }) => amount).sort()).toEqual([1n, 9n])
  await lab.anvil.mine()
})

describe('a node without txpool_content and eth_simulateV1', () => {
  test('shows pending native transfers, and leaves tokens to the block', async () => {
    const native = await lab.send({ to: ALICE, value: 5n })
    const token = await lab.send({ to: lab.usdt.address, data: transferData(ALICE, 7n) })
    const look = await plain.mempool(NOTHING)
    expect(look.txids).toEqual(new Set([native, token]))
    expect(shortly(look.transfers)).toEqual([`${native} 0 ${ALICE} eth 5`])
  })

  test('looks up what is not in the pending block before it counts as gone', async () => {
    const nonce = Number(await lab.anvil.call('eth_getTransactionCount', FAUCET, 'latest'))
    const queued = (await lab.anvil.call('eth_sendTransaction', {
      from: FAUCET,
      to: ALICE,
      value: '0x9',
      nonce: `0x${(nonce + 5).toString(16)}`,
    })) as string
    const gone = `0x${'ee'.repeat(32)}`
    const { txids } = await plain.mempool(new Set([queued, gone]))
    expect(txids.has(queued)).toBe(true)
    expect(txids.has(gone)).toBe(false)
  })
})
