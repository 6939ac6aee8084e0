/** Builds, signs, verifies, broadcasts and mines payouts on an EVM chain. */

import { encodeFunctionData, erc20Abi, type Hex, keccak256, parseAbi } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { EvmBuildRequest, EvmBuildResult } from '../../../chains/adapter.js'
import { createEvmAdapter } from '../../../chains/evm/create-evm-adapter.js'
import type { EvmPayload } from '../../../domain/signing/signer-protocol.js'
import { evmNetwork, FAUCET, type Lab, startLab } from './lab.js'
import { Refusal, scriptedNode } from './scripted-node.js'

const ALICE = '0x00000000000000000000000000000000000A11cE'
const ETHER = 10n ** 18n
const payer = privateKeyToAccount(`0x${'42'.repeat(32)}`)

let lab: Lab
beforeAll(async () => {
  lab = await startLab()
  await lab.anvil.call('anvil_setBalance', payer.address, '0x8ac7230489e80000')
  for (const token of [lab.usdt.address, lab.contracts.fee])
    await lab.send({
      to: token,
      data: encodeFunctionData({
        abi: erc20Abi,
        functionName: 'transfer',
        args: [payer.address, 1_000_000n],
      }),
    })
  await lab.anvil.mine()
})
afterAll(() => lab?.stop())

const request = (changes: Partial<EvmBuildRequest> = {}): EvmBuildRequest => ({
  from: payer.address,
  derivationPath: "m/44'/60'/2'/0/0",
  coin: 'usdt',
  to: ALICE,
  amount: 250n,
  priority: 'normal',
  feeLimit: ETHER / 100n,
  ...changes,
})

function built(result: EvmBuildResult): Extract<EvmBuildResult, { kind: 'built' }> {
  if (result.kind !== 'built')
    throw new Error(JSON.stringify(result, (_, v) => (typeof v === 'bigint' ? `${v}` : v)))
  return result
}

const sign = (payload: EvmPayload, by = payer) =>
  by.signTransaction({
    type: 'eip1559',
    chainId: payload.chain_id,
    nonce: payload.nonce,
    to: payload.to as Hex,
    value: BigInt(payload.value),
    data: payload.data as Hex,
    gas: BigInt(payload.gas),
    maxFeePerGas: BigInt(payload.max_fee_per_gas),
    maxPriorityFeePerGas: BigInt(payload.max_priority_fee_per_gas),
  })

/** Builds, signs, checks and broadcasts. */
async function pay(
  changes: Partial<EvmBuildRequest> = {},
): Promise<{ raw: Hex; txid: string; maxFee: bigint }> {
  const { payload, maxFee, chainNonce } = built(await lab.adapter.build(request(changes)))
  const complete = { ...payload, nonce: chainNonce }
  const raw = await sign(complete)
  const { txid } = lab.adapter.verifySigned(complete, raw)
  expect(await lab.adapter.broadcast(raw)).toEqual({ kind: 'accepted' })
  return { raw, txid, maxFee }
}

test('pays a token: builds, signs, verifies, broadcasts and mines it, with the fee that the chain took', async () => {
  const before = await lab.adapter.balance(payer.address, 'eth')
  const { raw, txid, maxFee } = await pay()
  expect(await lab.adapter.outcome(txid)).toEqual({ kind: 'mempool' })
  expect(await lab.adapter.broadcast(raw)).toEqual({ kind: 'already_known' })
  const block = await lab.mineBlock()
  expect(block.transfers).toMatchObject([{ txid, index: 1, coin: 'usdt', amount: 250n }])
  await lab.anvil.mine(2)
  const outcome = await lab.adapter.outcome(txid)
  const fee = before - (await lab.adapter.balance(payer.address, 'eth'))
  expect(outcome).toEqual({
    kind: 'mined',
    block: { height: block.height, hash: block.hash },
    confirmations: 3,
    fee,
    succeeded: true,
    arrived: 250n,
  })
  expect(fee).toBeLessThanOrEqual(maxFee)
  expect(await lab.adapter.broadcast(raw)).toEqual({ kind: 'already_known' })
  expect(await lab.adapter.balance(ALICE, 'usdt')).toBe(250n)
})

test('leaves the nonce of a native payout to the lease, and reserves a quarter of the gas', async () => {
  const result = built(await lab.adapter.build(request({ coin: 'eth', amount: 5n })))
  expect(result.chainNonce).toBe(await lab.adapter.nonce(payer.address))
  expect(result.payload).toMatchObject({
    family: 'evm',
    network: 'ethereum',
    chain_id: 31_337,
    from: payer.address,
    to: ALICE,
    value: '5',
    data: '0x',
    gas: '26250',
  })
  expect(result.payload).not.toHaveProperty('nonce')
  expect(result.maxFee).toBe(26_250n * BigInt(result.payload.max_fee_per_gas))
})

test('reports the reason of a transfer that would revert, before anything is signed', async () => {
  const abi = parseAbi(['function addBlackList(address)', 'function removeBlackList(address)'])
  await lab.send({
    to: lab.usdt.address,
    data: encodeFunctionData({ abi, functionName: 'addBlackList', args: [ALICE] }),
  })
  await lab.anvil.mine()
  expect(await lab.adapter.build(request())).toEqual({ kind: 'would_revert', reason: 'blacklisted' })
  await lab.send({
    to: lab.usdt.address,
    data: encodeFunctionData({ abi, functionName: 'removeBlackList', args: [ALICE] }),
  })
  await lab.anvil.mine()
  expect((await lab.adapter.build(request())).kind).toBe('built')
  // This contract accepts no transfer.
  expect(await lab.adapter.build(request({ coin: 'eth', to: lab.usdt.address }))).toMatchObject({
    kind: 'would_revert',
  })
})

test('refuses a token that answers false, and an address without a contract', async () => {
  const lying = request({ coin: 'lyingtoken', amount: 1n, from: FAUCET })
  expect(await lab.adapter.build(lying)).toMatchObject({ kind: 'would_revert' })
  const coins = lab.network.coins.map((coin) => (coin.name === 'usdt' ? { ...coin, contract: ALICE } : coin))
  expect(await lab.open({ coins }).build(request({ to: FAUCET }))).toEqual({
    kind: 'would_revert',
    reason: 'there is no contract at the address of usdt',
  })
})

test('reports no success for a transfer without a log, nor for one that reverted', async () => {
  const setAnswer = encodeFunctionData({
    abi: parseAbi(['function setAnswer(bool)']),
    functionName: 'setAnswer',
    args: [true],
  })
  await lab.send({ to: lab.contracts.lying, data: setAnswer })
  await lab.anvil.mine()
  const data = encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args: [ALICE, 10n ** 30n] })
  const silent = await lab.send({ to: lab.contracts.lying, data })
  const reverted = await lab.send({ to: lab.usdt.address, data })
  const fee = await lab.send({
    to: lab.contracts.fee,
    data: encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args: [ALICE, 100n] }),
  })
  await lab.anvil.mine()
  expect(await lab.adapter.outcome(silent)).toMatchObject({ kind: 'mined', succeeded: false })
  expect(await lab.adapter.outcome(reverted)).toMatchObject({ kind: 'mined', succeeded: false })
  expect(await lab.adapter.outcome(fee)).toMatchObject({ kind: 'mined', succeeded: true })
  expect(await lab.adapter.outcome(keccak256('0x00'))).toEqual({ kind: 'unknown' })
})

test('names missing funds by coin and amount, gas included', async () => {
  expect(await lab.adapter.build(request({ amount: 2_000_000n }))).toMatchObject({
    kind: 'insufficient_funds',
    coin: 'usdt',
  })
  const held = await lab.adapter.balance(payer.address, 'eth')
  expect(await lab.adapter.build(request({ coin: 'eth', amount: held + 3n }))).toEqual({
    kind: 'insufficient_funds',
    coin: 'eth',
    missing: 3n,
  })
  const all = await lab.adapter.build(request({ coin: 'eth', amount: held }))
  const { maxFee } = built(await lab.adapter.build(request({ coin: 'eth', amount: 1n })))
  expect(all).toEqual({ kind: 'insufficient_funds', coin: 'eth', missing: maxFee })
  // Tokens alone pay no gas.
  await lab.anvil.call('anvil_setBalance', payer.address, '0x0')
  expect(await lab.adapter.build(request())).toMatchObject({ kind: 'insufficient_funds', coin: 'eth' })
  await lab.anvil.call('anvil_setBalance', payer.address, '0x8ac7230489e80000')
})

test('keeps the fee limit: the headroom shrinks first, and then the payout is refused', async () => {
  const usual = built(await lab.adapter.build(request()))
  const tight = built(await lab.adapter.build(request({ feeLimit: (usual.maxFee * 9n) / 10n })))
  expect(tight.maxFee).toBeLessThanOrEqual((usual.maxFee * 9n) / 10n)
  const refused = await lab.adapter.build(request({ feeLimit: usual.maxFee / 10n }))
  if (refused.kind !== 'fee_too_high') throw new Error(refused.kind)
  // With exactly what it says is needed it can be built.
  expect(built(await lab.adapter.build(request({ feeLimit: refused.fee }))).maxFee).toBeLessThanOrEqual(
    refused.fee,
  )
  expect((await lab.adapter.build(request({ feeLimit: refused.fee - 1n }))).kind).toBe('fee_too_high')
  const thrifty = lab.open({ fees: { ...lab.network.fees, maxTotal: 1n } })
  expect((await thrifty.build(request())).kind).toBe('fee_too_high')
})

test('sends no malformed recipient or amount to the node', async () => {
  for (const to of [
    '',
    '0x12',
    ALICE.replace('A11', 'a11').replace('cE', 'Ce'),
    `0x${'0'.repeat(40)}`,
    lab.usdt.address,
  ])
    await expect(lab.adapter.build(request({ to }))).rejects.toMatchObject({ code: 'INVALID_ADDRESS' })
  await expect(lab.adapter.build(request({ amount: 0n }))).rejects.toMatchObject({ code: 'INVALID_AMOUNT' })
  await expect(lab.adapter.build(request({ coin: 'dai' }))).rejects.toMatchObject({
    code: 'UNSUPPORTED_COIN',
  })
})

test('distinguishes plain rejections', async () => {
  const { payload } = built(await lab.adapter.build(request({ coin: 'eth', amount: 1n })))
  const { raw } = await pay({ coin: 'eth', amount: 2n })
  await lab.anvil.mine()
  const nonce = await lab.adapter.nonce(payer.address)
  const send = async (changes: Partial<EvmPayload>) =>
    lab.adapter.broadcast(await sign({ ...payload, nonce, ...changes }))
  const rejected = (reason: string) => ({ kind: 'rejected', reason })
  expect(await send({ nonce: nonce - 1 })).toEqual(rejected('nonce too low'))
  expect(await send({ value: (10n ** 24n).toString() })).toEqual(rejected('insufficient funds'))
  expect(await send({ gas: '20000' })).toEqual(rejected('intrinsic gas too low'))
  expect(await send({ max_fee_per_gas: '1', max_priority_fee_per_gas: '1' })).toEqual(
    rejected('max fee below the base fee'),
  )
  expect(await send({ gas: '4000000000' })).toEqual(rejected('gas above the block gas limit'))
  expect(await send({ chain_id: 1 })).toEqual(rejected('wrong chain id'))
  expect(await lab.adapter.broadcast('0x02aabb')).toEqual(rejected('malformed transaction'))
  expect(await lab.adapter.broadcast('not hex')).toEqual(rejected('malformed transaction'))
  expect(await send({})).toEqual({ kind: 'accepted' })
  expect(await send({ value: '7' })).toEqual(rejected('replacement transaction underpriced'))
  expect(await lab.adapter.broadcast(raw)).toEqual({ kind: 'already_known' })
  await lab.anvil.mine()
})

test('reports unknown without an answer, and needs one node only that has it', async () => {
  const { payload, chainNonce } = built(await lab.adapter.build(request({ coin: 'eth', amount: 1n })))
  const raw = await sign({ ...payload, nonce: chainNonce })
  const failing = await scriptedNode(
    () => null,
    (_calls, response) => {
      response.statusCode = 502
      response.end()
      return true
    },
  )
  const odd = await scriptedNode(() => new Refusal(-32000, 'the moon is in the wrong house'))
  const silent = await scriptedNode(
    () => null,
    () => true,
  )
  for (const url of [failing.url, odd.url, silent.url, 'http://127.0.0.1:1']) {
    const adapter = createEvmAdapter(evmNetwork([url]), { timeoutMs: 200 })
    expect((await adapter.broadcast(raw)).kind).toBe('unknown')
    await adapter.close()
  }
  const both = createEvmAdapter(evmNetwork([failing.url, lab.anvil.rpc]), { timeoutMs: 2_000 })
  expect(await both.broadcast(raw)).toEqual({ kind: 'accepted' })
  // A rejection by one node is no verdict while another one is silent.
  const conflicting = await sign({ ...payload, nonce: chainNonce, value: '8' })
  expect((await both.broadcast(conflicting)).kind).toBe('unknown')
  await both.close()
  await Promise.all([failing.stop(), odd.stop(), silent.stop()])
  await lab.anvil.mine()
})

test('keeps current fees inside the caps of the network', async () => {
  const fees = await lab.adapter.fees('urgent')
  expect(fees.maxFeePerGas).toBeGreaterThan(fees.maxPriorityFeePerGas)
  const capped = lab.open({ fees: { ...lab.network.fees, maxFeePerGas: 7n, maxPriorityFeePerGas: 5n } })
  expect(await capped.fees('urgent')).toEqual({ maxFeePerGas: 7n, maxPriorityFeePerGas: 5n })
  expect((await capped.build(request())).kind).toBe('fee_too_high')
})

test('reads the nonce at a block, and answers nothing about a block of another branch', async () => {
  const adapter = createEvmAdapter(evmNetwork([lab.anvil.rpc]))
  try {
    const sender = privateKeyToAccount(`0x${'43'.repeat(32)}`)
    await lab.anvil.call('anvil_setBalance', sender.address, '0x8ac7230489e80000')
    await lab.anvil.mine()
    const before = await adapter.head()
    const raw = await sender.signTransaction({
      type: 'eip1559',
      chainId: 31_337,
      nonce: 0,
      to: ALICE,
      value: 1n,
      gas: 30_000n,
      maxFeePerGas: 20_000_000_000n,
      maxPriorityFeePerGas: 1_000_000_000n,
    })
    expect((await adapter.broadcast(raw)).kind).toBe('accepted')
    await lab.anvil.mine()
    const after = await adapter.head()
    expect(await adapter.nonceAt(sender.address, before)).toBe(0)
    expect(await adapter.nonceAt(sender.address, after)).toBe(1)
    expect(await adapter.nonceAt(sender.address, { ...after, hash: `0x${'ab'.repeat(32)}` })).toBeNull()
    expect(await adapter.nonceAt(sender.address, { ...after, height: after.height + 9 })).toBeNull()
  } finally {
    await adapter.close()
  }
})
