/**
 * Another party has a key of ours: the books follow the chain, nothing of it is credited, and an exception
 * reports it.
 */

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Block, ChainAdapter } from '../../../chains/adapter.js'
import { reclaimForeignSpend } from '../../../db/chain/foreign-spends.js'
import type { Sql } from '../../../db/connect.js'
import { listSpendableOutputs } from '../../../db/payouts/attempts/list-spendable-outputs.js'
import { ChainModel, type ModelTransaction } from '../../stage/chain-model.js'
import { bitcoin, ethereum, ledger, merchantWith, scan, settle } from '../../stage/deposit-steps.js'
import { uncausedJournals } from '../../stage/uncaused-journals.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'

let database: TestDatabase
let sql: Sql
beforeAll(async () => {
  database = await freshDatabase()
  sql = database.sql
})
afterAll(() => database?.drop())

const STRANGER = 'ff'.repeat(20)
const exceptionsOf = async (txid: string) =>
  (
    await sql<{ data: Record<string, unknown> }[]>`
      SELECT data FROM events WHERE type = 'exception.raised' AND subject = ${txid} ORDER BY position`
  ).map((row) => row.data)
const statusesOf = async (txid: string) =>
  (await sql<{ status: string }[]>`SELECT status FROM deposits WHERE txid = ${txid}`).map((row) => row.status)

test('BTC: takes an output that a stranger spends out of the books, and makes no deposit of its change', async () => {
  await sql`DELETE FROM chain_cursors`
  const model = new ChainModel(bitcoin)
  const adapter = model.adapter()
  await scan(sql, adapter)
  const merchant = await merchantWith(sql)
  const alice = await merchant.address('bitcoin', 'alice-btc')
  const change = await merchant.address('bitcoin', null, 'change')
  const other = await (await merchantWith(sql)).address('bitcoin', 'another-user')
  const own = await ledger(sql, 'available', '')
  const paid = model.pay({ payee: alice.payee, coin: 'btc', amount: 100_000n })
  for (let block = 0; block < 3; block++) model.mine()
  await scan(sql, adapter)
  await settle(sql)
  expect(await ledger(sql, 'available', 'alice-btc')).toBe(100_000n)

  const theft = model.send(
    model.transaction(
      [
        { payee: change.payee, coin: 'btc', amount: 89_000n },
        { payee: other.payee, coin: 'btc', amount: 5_000n },
        { payee: STRANGER, coin: 'btc', amount: 5_000n },
      ],
      [`${paid.txid}:0`],
    ),
  )
  // Seen in the mempool first.
  await scan(sql, adapter)
  const mine = async () => {
    model.mine([theft])
    for (let block = 0; block < 3; block++) model.mine([])
    await scan(sql, adapter)
    await settle(sql)
  }
  const expectLoss = async () => {
    expect(await ledger(sql, 'chain', alice.id)).toBe(0n)
    expect(await ledger(sql, 'chain', change.id)).toBe(89_000n)
    expect(await ledger(sql, 'available', 'alice-btc')).toBe(100_000n)
    expect(await ledger(sql, 'available', '')).toBe(own - 11_000n)
    // What it pays another merchant is that merchant's own business.
    expect(await ledger(sql, 'available', 'another-user')).toBe(5_000n)
  }
  // Everything that the mempool had shown is known: what came back may be spent, and what was spent may not.
  const spendable = async () => {
    const row = { merchant_id: merchant.id, network: 'bitcoin', from_address_id: null }
    return (await listSpendableOutputs(sql, row, 3)).map(({ txid, vout }) => `${txid}:${vout}`)
  }
  await mine()
  await expectLoss()
  expect(await spendable()).toEqual([`${theft.txid}:0`])
  expect((await statusesOf(theft.txid)).sort()).toEqual(['replaced', 'success'])
  expect(await exceptionsOf(theft.txid)).toMatchObject([
    {
      kind: 'foreign_spend',
      severity: 'critical',
      transaction_hash: theft.txid,
      spent: [{ address: alice.address, coin: 'btc', amount: '0.001', outpoint: `${paid.txid}:0` }],
      returned: [{ address: change.address, coin: 'btc', amount: '0.00089' }],
    },
  ])

  // A reorg takes it back, and the same transaction is mined again.
  model.orphan(4)
  for (let block = 0; block < 5; block++) model.mine([])
  await scan(sql, adapter)
  expect(await ledger(sql, 'chain', alice.id)).toBe(100_000n)
  expect(await ledger(sql, 'chain', change.id)).toBe(0n)
  expect(await ledger(sql, 'available', '')).toBe(own)
  await mine()
  await expectLoss()

  // The signer's answer came late: the transaction was own after all, and the payout books it when it
  // settles.
  await sql.begin((tx) => reclaimForeignSpend(tx, 'bitcoin', theft.txid))
  expect(await ledger(sql, 'chain', alice.id)).toBe(100_000n)
  expect(await ledger(sql, 'available', '')).toBe(own)
})

/** The model's chain, in which an account pays: what it sends, and what it costs. */
function paying(
  model: ChainModel,
  payments: ReadonlyMap<string, { readonly payer: string; readonly signer: string; readonly fee: bigint }>,
): ChainAdapter {
  const adapter = model.adapter()
  const blocks = async (from: number, to: number): Promise<Block[]> =>
    (await adapter.blocks(from, to)).map((block) => ({
      ...block,
      transfers: block.transfers.map((transfer) => {
        const payment = payments.get(transfer.txid)
        return payment ? { ...transfer, origin: { payer: `0x${payment.payer}`, fee: payment.fee } } : transfer
      }),
      charges: block.txids.flatMap((txid) => {
        const payment = payments.get(txid)
        return payment ? [{ txid, payer: payment.signer, amount: payment.fee }] : []
      }),
    }))
  return { ...adapter, blocks } as ChainAdapter
}

test('ETH: names a stranger who uses a nonce or moves the money of an own account, and books what moved', async () => {
  const model = new ChainModel(ethereum)
  const payments = new Map<string, { payer: string; signer: string; fee: bigint }>()
  const adapter = paying(model, payments)
  await scan(sql, adapter)
  const merchant = await merchantWith(sql)
  const hot = await merchant.address('ethereum', null, 'hot')
  const bob = await merchant.address('ethereum', 'bob-eth')
  const eth = (kind: string, owner: string) => ledger(sql, kind, owner, 'eth')
  const funding = model.pay({ payee: hot.payee, coin: 'eth', amount: 1_000n })
  const tokens = model.pay({ payee: hot.payee, coin: 'usdt', amount: 70n })
  payments.set(funding.txid, { payer: STRANGER, signer: STRANGER, fee: 3n })
  for (let block = 0; block < 4; block++) model.mine()
  await scan(sql, adapter)
  await settle(sql)
  expect([await eth('chain', hot.id), await ledger(sql, 'chain', hot.id, 'usdt')]).toEqual([1_000n, 70n])

  const foreign = (transaction: ModelTransaction, signer: string, fee: bigint) => {
    payments.set(transaction.txid, { payer: hot.payee, signer, fee })
    return transaction
  }
  // To a user of the same merchant: no credit comes of it.
  const sent = foreign(model.transaction([{ payee: bob.payee, coin: 'eth', amount: 400n }]), hot.payee, 20n)
  // It failed, and used the nonce.
  const failed = foreign(model.transaction([]), hot.payee, 7n)
  // By an allowance: the stranger pays the fee.
  const pulled = foreign(model.transaction([{ payee: STRANGER, coin: 'usdt', amount: 30n }]), STRANGER, 9n)
  // This is an own payout.
  const mine = foreign(model.transaction([{ payee: STRANGER, coin: 'eth', amount: 50n }]), hot.payee, 5n)
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, state, payload, coin, amount, max_fee, txid)
    VALUES ('tx_own_eth', ${merchant.id}, 'withdrawal', 'withdrawal_own', 1, 'ethereum', 'broadcast', '{}', 'eth', 50, 5, ${mine.txid})`
  model.mine([sent, failed, pulled, mine])
  for (let block = 0; block < 4; block++) model.mine([])
  await scan(sql, adapter)
  await settle(sql)
  expect(await eth('chain', hot.id)).toBe(1_000n - 400n - 20n - 7n)
  expect(await eth('chain', bob.id)).toBe(400n)
  expect(await eth('available', 'bob-eth')).toBe(0n)
  expect(await ledger(sql, 'chain', hot.id, 'usdt')).toBe(40n)
  expect(await statusesOf(sent.txid)).toEqual([])
  for (const { txid } of [sent, failed, pulled]) {
    expect(await exceptionsOf(txid)).toMatchObject([
      { kind: 'foreign_spend', severity: 'critical', transaction_hash: txid },
    ])
  }
  for (const { txid } of [mine, funding, tokens]) expect(await exceptionsOf(txid)).toEqual([])
})

test('leaves no journal without its cause, and no cause without its journal', async () => {
  const networks = new Map([bitcoin, ethereum].map((network) => [network.name, network]))
  const types = (
    await sql<
      { type: string }[]
    >`SELECT DISTINCT type FROM ledger_journals WHERE type LIKE 'foreign%' ORDER BY type`
  ).map(({ type }) => type)
  expect(types).toEqual(['foreign_spend.booked', 'foreign_spend.reclaimed', 'foreign_spend.reverted'])
  expect(await uncausedJournals(sql, networks)).toEqual([])
})
