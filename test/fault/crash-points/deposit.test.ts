/** Kills the processes of a deposit at every commit: they credit it once, and take it back once. */

import type { WorkflowClient } from '@temporalio/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { advanceChain } from '../../../activities/chain/advance-chain.js'
import { dispatchPending } from '../../../activities/chain/dispatch-pending.js'
import type { Sql } from '../../../db/connect.js'
import { confirmDeposit } from '../../../db/deposits/confirm-deposit.js'
import { creditDeposit } from '../../../db/deposits/credit-deposit.js'
import { depositId } from '../../../temporal/ids.js'
import { ChainModel, type ModelTransaction } from '../../stage/chain-model.js'
import { bitcoin, merchantWith, networks, scan } from '../../stage/deposit-steps.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'
import { sealOnce } from '../../support/seal-once.js'
import { atEveryCommit } from './at-every-commit.js'

interface Subject {
  readonly merchantId: string
  readonly transaction: ModelTransaction
  /** Ids of workflows that were started. */
  readonly started: Set<string>
}

const AMOUNT = 50_000n
const model = new ChainModel(bitcoin)
const adapter = model.adapter()
let database: TestDatabase

beforeAll(async () => {
  database = await freshDatabase()
  await scan(database.sql, adapter)
})
afterAll(() => database?.drop())

/** Makes a merchant with an endpoint, and a deposit to a user in a block that is not scanned yet. */
async function paid(): Promise<Subject> {
  const { sql } = database
  const merchant = await merchantWith(sql)
  await sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed)
    VALUES (${`whe_${merchant.id}`}, ${merchant.id}, 'https://shop.example/hook', '')`
  const { payee } = await merchant.address('bitcoin', 'alice')
  const transaction = model.pay({ payee, coin: 'btc', amount: AMOUNT })
  for (let block = 0; block < 3; block++) model.mine()
  return { merchantId: merchant.id, transaction, started: new Set() }
}

/** Runs watcher, deposit workflow and sealer, one after the other. */
async function live(sql: Sql, { transaction, started }: Subject): Promise<void> {
  await advanceChain(sql, adapter)
  const start = async (id: string) => {
    started.add(id)
    return true
  }
  await dispatchPending(sql, bitcoin, {
    startDeposit: ({ network, txid, index }) => start(depositId(network, txid, index)),
    startWithdrawal: () => Promise.reject(new Error('This test has no withdrawals')),
    startChainWatcher: async () => {},
    wakePayment: async () => {},
    signal: async () => true,
  })
  const rows = await sql<{ id: string }[]>`SELECT id FROM deposits WHERE txid = ${transaction.txid}`
  for (const { id } of rows) {
    await confirmDeposit(sql, networks, id)
    await creditDeposit(sql, networks, id)
  }
  // The methods of Temporal's client that the sealer calls.
  const client = {
    start: (_: string, { workflowId }: { workflowId: string }) => start(workflowId),
    withDeadline: (_: number, run: () => Promise<void>) => run(),
  }
  while (await sealOnce(sql, client as unknown as WorkflowClient)) {}
}

async function facts({ merchantId, transaction, started }: Subject): Promise<unknown> {
  const { sql } = database
  const deposits = await sql`
    SELECT status, epoch, amount, workflow_started_at IS NOT NULL AS started,
           jsonb_path_query_array(history, '$[*].status') AS history
    FROM deposits WHERE merchant_id = ${merchantId}`
  const entries = await sql`
    SELECT journal.type, journal.reverses IS NOT NULL AS reverses, account.kind, entry.amount, entry.balance_after
    FROM ledger_journals journal JOIN ledger_entries entry ON entry.journal_id = journal.id
    JOIN ledger_accounts account ON account.id = entry.account_id
    WHERE journal.merchant_id = ${merchantId} ORDER BY journal.id, account.kind`
  const events = await sql`
    SELECT event.sequence, event.type, event.data ->> 'status' AS status, event.data ->> 'previous_status' AS previous,
           event.data -> 'funds' AS funds, event.body IS NOT NULL AS frozen,
           (SELECT count(*)::int FROM webhook_deliveries delivery
            WHERE delivery.event_id = event.id AND delivery.workflow_started_at IS NOT NULL) AS deliveries
    FROM events event WHERE merchant_id = ${merchantId} ORDER BY sequence`
  const audited = await sql`
    SELECT sequence, action, hash IS NOT NULL AS hashed FROM audit_log WHERE merchant_id = ${merchantId} ORDER BY position`
  return {
    deposits: [...deposits],
    entries: [...entries],
    events: [...events],
    audited: [...audited],
    // The sealer may start deliveries of earlier subjects meanwhile, once those have waited long enough.
    started: [...started].filter((id) => id.endsWith(`:whe_${merchantId}`)).length,
    deposit: started.has(depositId('bitcoin', transaction.txid, 0)),
  }
}

test('credits a deposit once, with every event and delivery, at whichever commit its process is killed', async () => {
  const commits = await atEveryCommit(database, { prepare: paid, live, facts })
  // Scanned, started, confirmed, credited, sealed, deliveries started.
  expect(commits).toBeGreaterThan(7)
  const [credited] = await database.sql<{ users: number; wrong: number }[]>`
    SELECT count(*)::int AS users, (count(*) FILTER (WHERE balance <> ${-AMOUNT}::numeric))::int AS wrong
    FROM ledger_accounts WHERE kind = 'available'`
  expect(credited).toEqual({ users: 1 + 2 * commits, wrong: 0 })
}, 120_000)

test('reverses a deposit that leaves the chain once, and credits it again once, at whichever commit its process is killed', async () => {
  const commits = await atEveryCommit(database, {
    async prepare() {
      const subject = await paid()
      await live(database.sql, subject)
      subject.started.clear()
      model.orphan(3)
      model.mine([])
      model.mine([subject.transaction])
      for (let block = 0; block < 3; block++) model.mine([])
      return subject
    },
    live,
    facts,
  })
  expect(commits).toBeGreaterThan(7)
  const [reversed] = await database.sql<{ journals: number }[]>`
    SELECT count(*)::int AS journals FROM ledger_journals WHERE reverses IS NOT NULL`
  expect(reversed?.journals).toBe(2 * (1 + 2 * commits))
}, 120_000)
