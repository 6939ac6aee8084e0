/** Measures journals a second, one at a time and in batches of 500, beside bare inserts in the same rounds. */

import { type Journal, postJournal, postJournals } from '../db/books/ledger/post-journal.js'
import type { Sql } from '../db/connect.js'
import { alternate } from './alternate.js'
import type { BenchContext } from './context.js'
import { type Measurement, rate } from './measurement.js'

const CONNECTIONS = 20
const BATCHES_AT_ONCE = 3
const BATCH = 500
const USERS = 1_000
const ROUNDS = 7
const SECONDS = 2
/** Smallest expected shares of the bare inserts. */
const EXPECTED = { single: 0.6, batched: 0.4 }

/** Measures the journals of deposits of 1,000 users at their confirmation. */
export async function benchJournals(context: BenchContext): Promise<Measurement[]> {
  const { sql } = await context.database({ max: CONNECTIONS })
  await createBareTables(sql)
  let next = 0
  const some = (count: number) => Array.from({ length: count }, () => journal(next++))
  const measure = (connections: number, count: number, insert: (journals: Journal[]) => Promise<unknown>) =>
    rate(SECONDS, connections, async () => {
      await insert(some(count))
      return count
    })

  const single = await alternate(
    ROUNDS,
    () => measure(CONNECTIONS, 1, ([only]) => postJournal(sql, only as Journal)),
    () => measure(CONNECTIONS, 1, () => sql`INSERT INTO bare_rows (amount) VALUES (100)`),
  )
  const beside = await alternate(
    ROUNDS,
    () => measure(CONNECTIONS, 1, ([only]) => postJournal(sql, only as Journal)),
    () => measure(CONNECTIONS, 1, (journals) => insertBare(sql, journals)),
  )
  const batched = await alternate(
    ROUNDS,
    () => measure(BATCHES_AT_ONCE, BATCH, (journals) => postJournals(sql, 'merchant', journals)),
    () => measure(BATCHES_AT_ONCE, BATCH, (journals) => insertBare(sql, journals)),
  )
  return [
    {
      name: 'journals, one at a time',
      unit: '/s',
      against: 'bare commit of one row',
      expected: EXPECTED.single,
      ...single,
    },
    {
      name: 'the same',
      unit: '/s',
      against: 'bare insert of the same rows',
      expected: null,
      ...beside,
    },
    {
      name: `journals, batches of ${BATCH}`,
      unit: '/s',
      against: 'bare insert of the same rows',
      expected: EXPECTED.batched,
      ...batched,
    },
  ]
}

/** Creates one table of a single index, and two with the ledger's columns and indexes but nothing else of it. */
async function createBareTables(sql: Sql): Promise<void> {
  await sql`
    CREATE TABLE bare_rows (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount numeric(78,0) NOT NULL)`
  await sql`CREATE TABLE bare_journals (LIKE ledger_journals INCLUDING INDEXES INCLUDING IDENTITY)`
  await sql`CREATE TABLE bare_entries (LIKE ledger_entries INCLUDING INDEXES)`
  await sql`CREATE SEQUENCE bare_versions`
}

/** Inserts the journals and their entries in one statement, without accounts, locks, balances and checks. */
function insertBare(sql: Sql, journals: readonly Journal[]) {
  const amounts = journals.flatMap((each) => each.entries.map((entry) => entry.amount.toString()))
  return sql`
    WITH inserted AS (
      INSERT INTO bare_journals (merchant_id, idempotency_key, request_hash, type, reference, recorded_at)
      SELECT 'merchant', key, sha256(key::bytea), type, reference, clock_timestamp()
      FROM unnest(
        ${journals.map((each) => each.idempotencyKey)}::text[], ${journals.map((each) => each.type)}::text[],
        ${journals.map((each) => each.reference)}::text[]) AS journal (key, type, reference)
      RETURNING id
    )
    INSERT INTO bare_entries (account_id, account_version, journal_id, amount, balance_after, recorded_at)
    SELECT entry.position % ${2 * USERS}, nextval('bare_versions'), (SELECT max(id) FROM inserted), entry.amount,
           entry.amount, clock_timestamp()
    FROM unnest(${amounts}::numeric[]) WITH ORDINALITY AS entry (amount, position)`
}

function journal(index: number): Journal {
  const user = index % USERS
  const asset = { network: 'bitcoin', coin: 'btc' }
  return {
    merchantId: 'merchant',
    idempotencyKey: `deposit:${index}`,
    type: 'deposit.confirmed',
    reference: `deposit-${index}`,
    entries: [
      { ...asset, kind: 'chain', owner: `address-${user}`, amount: 100n },
      { ...asset, kind: 'reserved', owner: `user-${user}`, amount: -100n },
    ],
  }
}
