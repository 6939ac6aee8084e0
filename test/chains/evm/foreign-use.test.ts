/**
 * Finds a foreign use of an own account's key that no log, trace or fee shows, by the account's own figures.
 */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { advanceChain } from '../../../activities/chain/advance-chain.js'
import { compareAccounts, createAccountLook } from '../../../activities/chain/compare-accounts.js'
import { raiseException } from '../../../db/books/exceptions/raise-exception.js'
import { rollBack } from '../../../db/chain/roll-back.js'
import type { Sql, Transaction } from '../../../db/connect.js'
import { driftOf } from '../../../domain/books/difference.js'
import { ledger } from '../../stage/deposit-steps.js'
import { uncausedJournals } from '../../stage/uncaused-journals.js'
import { FAUCET, type Lab } from './lab.js'
import { type MerchantLab, startMerchantLab } from './merchant-lab.js'

let ground: MerchantLab
let sql: Sql
let lab: Lab

beforeAll(async () => {
  ground = await startMerchantLab()
  ;({ sql, lab } = ground)
  await lab.anvil.call('anvil_autoImpersonateAccount', true)
})
afterAll(() => ground?.close())

const exceptions = (subject: string) => ground.exceptions({ subject })
const look = createAccountLook()
/** Compares every account, and again when what was seen first is final. */
async function compareTwice(): Promise<void> {
  await compareAccounts(sql, lab.adapter, look)
  await ground.mineAndCredit(lab.network.confirmations)
  await compareAccounts(sql, lab.adapter, look)
}

test('names a foreign transaction of an own account, though it costs and moves nothing', async () => {
  const hot = await ground.issue(null, 'hot')
  await lab.anvil.call('anvil_setNextBlockBaseFeePerGas', '0x0')
  const txid = (await lab.anvil.call('eth_sendTransaction', {
    from: hot.address,
    to: FAUCET,
    value: '0x0',
    gas: '0x5208',
    gasPrice: '0x0',
  })) as string
  await ground.mineAndCredit(1)
  expect(await exceptions(txid)).toMatchObject([
    { kind: 'foreign_spend', severity: 'critical', transaction_hash: txid, network: 'ethereum' },
  ])
  expect(await ledger(sql, 'chain', hot.id, 'eth')).toBe(0n)
  // Its use of the nonce is explained.
  await compareTwice()
  await compareTwice()
  expect(await exceptions(hot.id)).toEqual([])
})

test('names a nonce that no seen transaction used once, and never an own one', async () => {
  const hot = await ground.issue(null, 'hot')
  const spy = await ground.issue('spied')
  await lab.send({ to: hot.address, value: 10n ** 18n })
  await ground.mineAndCredit(4)
  const { height } = await lab.adapter.head()
  for (const [number, state] of [
    [1, 'final'],
    [2, 'mined'],
  ] as const) {
    const txid = (await lab.anvil.call('eth_sendTransaction', {
      from: hot.address,
      to: FAUCET,
      value: '0x1',
      gas: '0x5208',
    })) as string
    await sql`
      INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, from_address_id, nonce, state, payload,
                                coin, amount, max_fee, txid, block_number)
      VALUES (${`tx_own_${number}`}, ${ground.merchant.id}, 'withdrawal', 'withdrawal_own', ${number}, 'ethereum', ${hot.id}, ${number - 1},
              ${state}, '{}', 'eth', 1, 5, ${txid}, ${height + 1})`
  }
  await ground.mineAndCredit(1)
  await lab.anvil.call('anvil_setNonce', spy.address, '0x2')
  await compareTwice()
  await compareTwice()
  expect(await exceptions(hot.id)).toEqual([])
  expect(await exceptions(spy.id)).toMatchObject([
    {
      kind: 'foreign_spend',
      detail: 'foreign_nonce',
      severity: 'critical',
      network: 'ethereum',
      address: spy.address,
      chain_nonce: 2,
      known_uses: 0,
      unexplained_uses: 2,
    },
  ])

  // One further use is named by itself.
  await lab.anvil.call('anvil_setNonce', spy.address, '0x3')
  await compareTwice()
  expect((await exceptions(spy.id)).slice(1)).toMatchObject([{ chain_nonce: 3, unexplained_uses: 1 }])
})

test('names a balance that falls without an own payout once, and books what the chain says', async () => {
  const victim = await ground.issue('victim')
  const holder = await ground.issue('holder')
  const merchantOwn = await ledger(sql, 'available', '', 'eth')
  await lab.send({ to: victim.address, value: 900n })
  await lab.usdt.mint(FAUCET, 70n)
  await lab.usdt.transfer(holder.address, 70n)
  await ground.mineAndCredit(4)
  await compareTwice()
  expect(await exceptions(victim.id)).toEqual([])

  await lab.anvil.call('anvil_setBalance', victim.address, '0x190')
  await lab.anvil.call('anvil_dealERC20', holder.address, lab.usdt.address, '0x1e')
  await lab.anvil.mine(1)
  await advanceChain(sql, lab.adapter)
  await compareAccounts(sql, lab.adapter, look)
  await compareAccounts(sql, lab.adapter, look)
  // It may still leave the chain.
  expect(await exceptions(victim.id)).toEqual([])
  await compareTwice()
  await compareTwice()
  expect(await exceptions(victim.id)).toMatchObject([
    {
      kind: 'drift',
      detail: 'balance.fell_without_payment',
      severity: 'critical',
      network: 'ethereum',
      address: victim.address,
      coin: 'eth',
      amount: '0.0000000000000005',
      expected: '0.0000000000000009',
      on_chain: '0.0000000000000004',
    },
  ])
  expect(await exceptions(holder.id)).toMatchObject([{ coin: 'usdt', amount: '0.00004' }])
  expect(await ledger(sql, 'chain', victim.id, 'eth')).toBe(400n)
  expect(await ledger(sql, 'chain', holder.id, 'usdt')).toBe(30n)
  expect(await ledger(sql, 'available', 'victim', 'eth')).toBe(900n)
  expect(await ledger(sql, 'available', '', 'eth')).toBe(merchantOwn - 500n)
})

test('closes what a reconciliation had said about the same fall, so that no person writes it off a second time', async () => {
  const victim = await ground.issue('compared')
  await lab.send({ to: victim.address, value: 900n })
  await ground.mineAndCredit(4)
  await lab.anvil.call('anvil_setBalance', victim.address, '0x190')
  await lab.anvil.mine(1)
  await advanceChain(sql, lab.adapter)
  const difference = {
    subject: { type: 'address', id: victim.id },
    account: `chain:${victim.id}`,
    network: 'ethereum',
    coin: 'eth',
    expected: '0.0000000000000004',
    actual: '0.0000000000000009',
  }
  await sql.begin((tx) =>
    raiseException(tx as unknown as Transaction, {
      ...difference,
      ...driftOf('chain:ethereum', difference),
      merchantId: ground.merchant.id,
      reason: 'The chain holds less than the books',
      evidence: {},
    }),
  )
  await compareTwice()
  await compareTwice()
  expect(
    await sql`SELECT detail, status, resolution FROM exceptions WHERE subject_id = ${victim.id} ORDER BY id`,
  ).toMatchObject([
    { detail: 'drift', status: 'resolved', resolution: 'cause_gone' },
    { detail: 'balance.fell_without_payment', status: 'open' },
  ])
  expect(await ledger(sql, 'chain', victim.id, 'eth')).toBe(400n)
})

test('books back what a reorg takes back', async () => {
  const [row] = await sql<{ height: bigint; block_hash: string }[]>`
    SELECT height, block_hash FROM chain_cursors WHERE network = 'ethereum'`
  const [victim] = await sql<{ id: string }[]>`SELECT id FROM addresses WHERE user_reference = 'victim'`
  const [fall] = await sql<{ block_number: bigint }[]>`
    SELECT block_number FROM balance_falls WHERE address_id = ${victim?.id ?? ''}`
  const fork = Number(fall?.block_number) - 1
  await rollBack(
    sql,
    lab.network,
    { height: Number(row?.height), hash: row?.block_hash ?? '' },
    { height: fork, hash: (await lab.adapter.hashAt(fork)) ?? '' },
  )
  expect(await ledger(sql, 'chain', victim?.id ?? '', 'eth')).toBe(900n)
  expect(await sql`SELECT FROM balance_falls WHERE block_number > ${fork}`).toEqual([])
})

test('leaves no journal without its cause', async () => {
  const types = (
    await sql<{ type: string }[]>`
      SELECT DISTINCT type FROM ledger_journals WHERE type LIKE 'balance_fall%' ORDER BY type`
  ).map(({ type }) => type)
  expect(types).toEqual(['balance_fall.booked', 'balance_fall.reverted'])
  expect(await uncausedJournals(sql, new Map([[lab.network.name, lab.network]]))).toEqual([])
})
