/** Finds balances that rise without a transaction, such as withdrawals of validators. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { advanceChain } from '../../../activities/chain/advance-chain.js'
import { compareAccounts, createAccountLook } from '../../../activities/chain/compare-accounts.js'
import type { EvmAdapter } from '../../../chains/adapter.js'
import { parseBlock } from '../../../chains/evm/scan/parse-block.js'
import { scanRules } from '../../../chains/evm/scan/scan-rules.js'
import type { Sql } from '../../../db/connect.js'
import { ChainModel } from '../../stage/chain-model.js'
import { ethereum, ledger, scan } from '../../stage/deposit-steps.js'
import { evmNetwork, type Lab } from './lab.js'
import { type MerchantLab, startMerchantLab } from './merchant-lab.js'

let ground: MerchantLab
let sql: Sql
let lab: Lab

beforeAll(async () => {
  ground = await startMerchantLab()
  ;({ sql, lab } = ground)
})
afterAll(() => ground?.close())

const exceptions = (network = 'ethereum') => ground.exceptions({ network })

test('finds a balance that rose without a transaction, names it once, and books nothing', async () => {
  const [alice, bob, carol] = [
    await ground.issue('alice'),
    await ground.issue('bob'),
    await ground.issue('carol'),
  ]
  await lab.send({ to: alice.address, value: 500n })
  await lab.usdt.mint(bob.address as `0x${string}`, 7n)
  await ground.mineAndCredit(4)
  expect(await ledger(sql, 'available', 'alice', 'eth')).toBe(500n)
  const look = createAccountLook()
  await compareAccounts(sql, lab.adapter, look)
  await compareAccounts(sql, lab.adapter, look)
  expect(await exceptions()).toEqual([])

  // The chain mints to one of them; another has a deposit that is not scanned yet.
  await lab.anvil.call('anvil_setBalance', alice.address, `0x${(500n + 42n).toString(16)}`)
  await lab.send({ to: carol.address, value: 9n })
  await lab.anvil.mine(1)
  await compareAccounts(sql, lab.adapter, look)
  expect(await exceptions()).toEqual([])
  await ground.mineAndCredit(4)
  await compareAccounts(sql, lab.adapter, look)
  await compareAccounts(sql, lab.adapter, look)
  await compareAccounts(sql, lab.adapter, look)
  expect(await exceptions()).toMatchObject([
    {
      kind: 'unattributed',
      detail: 'balance.rose_without_transaction',
      severity: 'medium',
      subject: alice.id,
      source: 'unexplained',
      address: alice.address,
      coin: 'eth',
      amount: '0.000000000000000042',
    },
  ])
  expect(await ledger(sql, 'chain', alice.id, 'eth')).toBe(500n)
  expect(await ledger(sql, 'available', 'carol', 'eth')).toBe(9n)
})

test("reads validators' withdrawals from their block, in wei", () => {
  const hash = `0x${'1'.repeat(64)}`
  const block = parseBlock(scanRules(evmNetwork(['http://127.0.0.1:1'])), 5, {
    block: {
      number: '0x5',
      hash,
      parentHash: `0x${'2'.repeat(64)}`,
      timestamp: '0x1',
      transactions: [],
      // As EIP-4895 has them: the amount is in gwei.
      withdrawals: [{ index: '0x1f', validatorIndex: '0x3', address: `0x${'AB'.repeat(20)}`, amount: '0x7' }],
    },
    receipts: [],
    traces: null,
  })
  expect(block?.grants).toEqual([{ payee: 'ab'.repeat(20), amount: 7_000_000_000n, reference: '31' }])
})

test("raises an exception for a validator's withdrawal to an own address, and again only in another block", async () => {
  const model = new ChainModel({ ...ethereum, name: 'mainnet' })
  const adapter = model.adapter()
  await scan(sql, adapter)
  const payee = await ground.merchant.address('mainnet', null)
  const granting = (reference: string) =>
    ({
      ...adapter,
      blocks: async (from: number, to: number) =>
        (await adapter.blocks(from, to)).map((block) =>
          block.height === 1
            ? { ...block, grants: [{ payee: payee.payee, amount: 7_000_000_000n, reference }] }
            : block,
        ),
    }) as EvmAdapter
  model.mine([])
  await advanceChain(sql, granting('31'))
  const named = { source: 'validator_withdrawal', subject: payee.id, amount: '0.000000007', block_number: 1 }
  expect(await exceptions('mainnet')).toMatchObject([{ ...named, reference: '31' }])
  expect(await ledger(sql, 'chain', payee.id, 'eth')).toBe(0n)
  model.orphan(1)
  model.mine([])
  model.mine([])
  await advanceChain(sql, granting('32'))
  expect(await exceptions('mainnet')).toMatchObject([
    { ...named, reference: '31' },
    { ...named, reference: '32' },
  ])
  expect(await sql`SELECT reference FROM balance_rises WHERE network = 'mainnet'`).toEqual([
    { reference: '32' },
  ])
})
