/** Counts the fee that an OP-Stack chain pays its parent chain. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { refreshFees } from '../../../activities/chain/refresh-fees.js'
import type { EvmAdapter } from '../../../chains/adapter.js'
import { createEvmAdapter } from '../../../chains/evm/create-evm-adapter.js'
import { readFeePrice } from '../../../db/networks/read-fee-price.js'
import { nativeCoin } from '../../../domain/chain/network.js'
import { estimateFee } from '../../../domain/payouts/withdrawal-fee.js'
import { type TestAnvil, testAnvil } from '../../support/anvil.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'
import { evmNetwork, FAUCET } from './lab.js'
import { scriptedNode } from './scripted-node.js'

const ORACLE = '0x420000000000000000000000000000000000000F'
const ALICE = '0x00000000000000000000000000000000000A11cE'
const PAYER = '0x0000000000000000000000000000000000b0b001'
const L1_FEE = 4_000_000_000_000n
const ETHER = 10n ** 18n

let anvil: TestAnvil
let database: TestDatabase
let adapter: EvmAdapter
let plain: EvmAdapter
beforeAll(async () => {
  ;[anvil, database] = await Promise.all([testAnvil(), freshDatabase()])
  // A contract that answers every question with the fee.
  const word = L1_FEE.toString(16).padStart(64, '0')
  await anvil.call('anvil_setCode', ORACLE, `0x7f${word}5f5260205ff3`)
  await anvil.call('anvil_setBalance', PAYER, '0xde0b6b3a7640000')
  await anvil.mine(2)
  const network = evmNetwork([anvil.rpc])
  plain = createEvmAdapter(network)
  adapter = createEvmAdapter({ ...network, l1FeeOracle: ORACLE })
})
afterAll(async () => {
  await Promise.all([adapter?.close(), plain?.close()])
  await anvil?.stop()
  await database?.drop()
})

const request = (feeLimit: bigint, amount = 1n) => ({
  from: PAYER,
  derivationPath: "m/44'/60'/2'/0/0",
  coin: 'eth',
  to: ALICE,
  amount,
  priority: 'normal' as const,
  feeLimit,
})

test("counts the parent chain's fee, with a margin, in the fee, its limit and the balance", async () => {
  const without = await plain.build(request(ETHER / 100n))
  const built = await adapter.build(request(ETHER / 100n))
  if (without.kind !== 'built' || built.kind !== 'built') throw new Error('not built')
  const gas = BigInt(built.payload.gas) * BigInt(built.payload.max_fee_per_gas)
  expect(built.maxFee).toBe(gas + 2n * L1_FEE)
  expect(without.maxFee).toBe(BigInt(without.payload.gas) * BigInt(without.payload.max_fee_per_gas))

  expect(await adapter.build(request(2n * L1_FEE))).toMatchObject({ kind: 'fee_too_high' })
  // A sweep of everything leaves it over.
  expect(await adapter.build(request(ETHER / 100n, ETHER - gas))).toMatchObject({
    kind: 'insufficient_funds',
    coin: 'eth',
  })
  expect((await adapter.build(request(ETHER / 100n, ETHER - 2n * built.maxFee))).kind).toBe('built')
})

test('counts it again in a speed-up and in a cancellation', async () => {
  const built = await adapter.build(request(ETHER / 100n))
  if (built.kind !== 'built') throw new Error('not built')
  const before = {
    maxFeePerGas: BigInt(built.payload.max_fee_per_gas),
    maxPriorityFeePerGas: BigInt(built.payload.max_priority_fee_per_gas),
  }
  const { derivation_path: derivationPath } = built.payload
  for (const purpose of ['pay', 'cancel'] as const) {
    const replace = (feeLimit: bigint) =>
      adapter.replace({
        purpose,
        from: PAYER,
        derivationPath,
        nonce: 0,
        call: built.payload,
        before,
        priority: 'high',
        feeLimit,
      })
    const replaced = await replace(ETHER / 100n)
    if (replaced.kind !== 'built') throw new Error('not built')
    const gas = BigInt(replaced.payload.gas) * BigInt(replaced.payload.max_fee_per_gas)
    expect(replaced.maxFee).toBe(gas + 2n * L1_FEE)
    const tooHigh = await replace(2n * L1_FEE)
    expect(tooHigh.kind).toBe('fee_too_high')
  }
})

test('adds it to estimates', async () => {
  const { sql } = database
  await refreshFees(sql, adapter)
  const price = await readFeePrice(sql, adapter.network, 'normal')
  expect(price).toMatchObject({ family: 'evm', l1Fee: L1_FEE })
  const coin = nativeCoin(adapter.network)
  const without = estimateFee(adapter.network, coin, { ...price, l1Fee: 0n } as typeof price, 0)
  expect(estimateFee(adapter.network, coin, price, 0)).toBe(without + L1_FEE)
})

test('refuses a chain with such a fee until its oracle is configured', async () => {
  const hash = `0x${'0b'.repeat(32)}`
  const node = await scriptedNode(({ method }) => {
    switch (method) {
      case 'eth_blockNumber':
        return '0x5'
      case 'eth_getBlockByNumber':
        return { number: '0x4', hash, transactions: [hash] }
      case 'eth_getTransactionReceipt':
        return { transactionHash: hash, l1Fee: '0x12' }
      default:
        return { hash, from: FAUCET }
    }
  })
  const refused = createEvmAdapter({ ...evmNetwork([node.url]), traceBlock: false })
  const accepted = createEvmAdapter({ ...evmNetwork([node.url]), traceBlock: false, l1FeeOracle: ORACLE })
  try {
    await expect(refused.head()).rejects.toThrow(/fee of the parent chain .*set l1_fee_oracle/)
    expect(await refused.inspect()).toMatchObject([{ endpoint: 1, state: 'unknown_fee' }])
    expect(await accepted.inspect()).toMatchObject([{ state: 'ok' }])
  } finally {
    await Promise.all([refused.close(), accepted.close()])
    await node.stop()
  }
})
