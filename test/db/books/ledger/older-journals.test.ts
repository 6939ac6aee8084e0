/** What the migration of heights and totals makes of journals that were posted before it. */

import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { postJournal } from '../../../../db/books/ledger/post-journal.js'
import { reverseJournal } from '../../../../db/books/ledger/reverse-journal.js'
import { newId } from '../../../../db/new-id.js'
import { settleWithdrawal } from '../../../../db/payouts/settle-withdrawal.js'
import { type Stage, startStage } from '../../../stage/start-stage.js'
import { testNetworks } from '../../../stage/test-networks.js'

const networks = testNetworks({ ETHEREUM_ENABLED: 'true' })
const ETHER = 10n ** 18n
const MIGRATION = new URL('../../../../db/migrations/118_ledger_facts.sql', import.meta.url)
let stage: Stage
beforeAll(async () => {
  stage = await startStage({ networks })
  await stage.credit('ethereum', 'eth', 'alice', 10n * ETHER)
})
afterAll(() => stage?.close())

test('fills heights, fees and totals as if they had been kept from the beginning', async () => {
  const { sql } = stage.api.database
  const merchantId = stage.api.merchantId
  const { json } = await stage.create({
    network: 'ethereum',
    coin: 'eth',
    amount: '1',
    user_reference: 'alice',
    to_address: '0x00000000000000000000000000000000000A11cE',
  })
  const { id } = json.data
  const hot = await stage.wallet('ethereum', 'hot')
  const transactionId = newId('tx')
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, state, payload, coin, amount,
                              max_fee, from_address_id, nonce, block_number, block_hash)
    VALUES (${transactionId}, ${merchantId}, 'withdrawal', ${id}, 1, 'ethereum', 'mined', '{}', 'eth',
            ${ETHER.toString()}, 1, ${hot.id}, 0, 7, '0x07')`
  await sql`UPDATE payouts SET stage = 'confirming' WHERE id = ${id}`
  await settleWithdrawal(sql, networks, id, {
    transactionId,
    blockNumber: 7,
    blockHash: '0x07',
    confirmations: 12,
    fee: '1000',
    succeeded: true,
  })
  const asset = { network: 'ethereum', coin: 'eth' }
  const deposit = (key: string) =>
    postJournal(sql, {
      merchantId,
      idempotencyKey: key,
      type: 'deposit.confirmed',
      reference: key,
      entries: [
        { ...asset, kind: 'chain', owner: 'a', amount: 5n },
        { ...asset, kind: 'reserved', owner: 'bob', amount: -5n },
      ],
    })
  await deposit('stands')
  const { journalId } = await deposit('reverted')
  await sql.begin((tx) =>
    reverseJournal(tx, {
      merchantId,
      journalId,
      idempotencyKey: 'undo',
      type: 'deposit.reverted',
      reference: 'reverted',
    }),
  )
  const totals = () =>
    sql`
      SELECT id, kind, owner, deposited, withdrawn, fees, transferred_in, transferred_out FROM ledger_accounts ORDER BY id`
  const kept = await totals()
  expect(kept.filter((row) => row.fees !== 0n)).toHaveLength(2)

  // A view of a later migration reads these columns.
  await sql`DROP VIEW standing_adjustments`
  await sql`ALTER TABLE ledger_journals DROP COLUMN network, DROP COLUMN height`
  await sql`ALTER TABLE ledger_entries DROP COLUMN fee, DROP COLUMN moved`
  await sql`
    ALTER TABLE ledger_accounts DROP COLUMN deposited, DROP COLUMN withdrawn, DROP COLUMN fees,
      DROP COLUMN transferred_in, DROP COLUMN transferred_out`
  await sql.unsafe(await readFile(MIGRATION, 'utf8')).simple()
  const sums = (rows: readonly Record<string, unknown>[]) => {
    const byOwner = new Map<string, bigint[]>()
    for (const row of rows) {
      const key = `${row.kind === 'chain' ? 'chain' : 'owed'} ${row.owner}`
      const figures = ['deposited', 'withdrawn', 'fees', 'transferred_in', 'transferred_out'].map(
        (name) => row[name] as bigint,
      )
      byOwner.set(
        key,
        (byOwner.get(key) ?? figures.map(() => 0n)).map((sum, index) => sum + (figures[index] ?? 0n)),
      )
    }
    return byOwner
  }
  expect(sums(await totals())).toEqual(sums(kept))
  const [settled] = await sql`
    SELECT network, height FROM ledger_journals WHERE reference = ${id} AND type = 'withdrawal.settled'`
  expect(settled).toEqual({ network: 'ethereum', height: 7n })
  await expect(sql`UPDATE ledger_entries SET amount = 1`).rejects.toThrow('immutable')
})
