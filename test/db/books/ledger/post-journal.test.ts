/** Posting journals: once by key, balanced, without gaps. */

import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type JournalEntry, postJournal, postJournals } from '../../../../db/books/ledger/post-journal.js'
import { reverseJournal } from '../../../../db/books/ledger/reverse-journal.js'
import type { Sql, Transaction } from '../../../../db/connect.js'
import { KeyturnError } from '../../../../domain/errors.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const chain = (owner: string, amount: bigint): JournalEntry => ({
  network: 'bitcoin',
  coin: 'btc',
  kind: 'chain',
  owner,
  amount,
})
const reserved = (owner: string, amount: bigint): JournalEntry => ({
  network: 'bitcoin',
  coin: 'btc',
  kind: 'reserved',
  owner,
  amount,
})
const available = (owner: string, amount: bigint): JournalEntry => ({
  network: 'bitcoin',
  coin: 'btc',
  kind: 'available',
  owner,
  amount,
})

function post(merchantId: string, idempotencyKey: string, entries: JournalEntry[], allowOverdraft = false) {
  return database.sql.begin((tx) =>
    postJournal(
      tx,
      { merchantId, idempotencyKey, type: 'test', reference: idempotencyKey, entries },
      { allowOverdraft },
    ),
  )
}

async function balanceOf(merchantId: string, kind: string, owner: string): Promise<bigint> {
  const [row] = await database.sql<{ balance: bigint }[]>`
    SELECT balance FROM ledger_accounts WHERE merchant_id = ${merchantId} AND kind = ${kind} AND owner = ${owner}`
  return row?.balance ?? 0n
}

test('posts a journal with gapless versions and balances after each entry', async () => {
  await post('m1', 'a', [chain('x', 5n), reserved('u', -5n)])
  await post('m1', 'b', [chain('x', 7n), reserved('u', -7n)])
  const rows = await database.sql`
    SELECT entry.account_version, entry.amount, entry.balance_after FROM ledger_entries entry
    JOIN ledger_accounts account ON account.id = entry.account_id
    WHERE account.merchant_id = 'm1' AND account.kind = 'chain' ORDER BY entry.account_version`
  expect([...rows]).toEqual([
    { account_version: 1n, amount: 5n, balance_after: 5n },
    { account_version: 2n, amount: 7n, balance_after: 12n },
  ])
})

test('posts a key once when it is posted repeatedly and in parallel', async () => {
  const results = await Promise.all(
    Array.from({ length: 10 }, () => post('m2', 'once', [chain('x', 5n), reserved('u', -5n)])),
  )
  expect(results.filter((result) => !result.replayed)).toHaveLength(1)
  expect(new Set(results.map((result) => result.journalId)).size).toBe(1)
  expect(await balanceOf('m2', 'chain', 'x')).toBe(5n)
})

test('refuses a key that was used for another journal', async () => {
  await post('m3', 'k', [chain('x', 5n), reserved('u', -5n)])
  await expect(post('m3', 'k', [chain('x', 6n), reserved('u', -6n)])).rejects.toThrow(
    /used for another journal/,
  )
  expect(await balanceOf('m3', 'chain', 'x')).toBe(5n)
})

test('refuses a journal that does not balance', async () => {
  await expect(post('m4', 'k', [chain('x', 5n), reserved('u', -4n)])).rejects.toThrow(/does not balance/)
})

test('refuses entries written past the posting function unless they balance', async () => {
  const { journalId } = await post('m5', 'k', [chain('x', 5n), reserved('u', -5n)])
  await expect(
    database.sql.begin(
      (tx) => tx`
        INSERT INTO ledger_entries (account_id, account_version, journal_id, amount, balance_after, recorded_at)
        SELECT id, version + 1, ${journalId}, 1, balance + 1, now() FROM ledger_accounts
        WHERE merchant_id = 'm5' AND kind = 'chain'`,
    ),
  ).rejects.toThrow(/does not balance/)
})

test('keeps journals and entries immutable', async () => {
  await post('m6', 'k', [chain('x', 5n), reserved('u', -5n)])
  await expect(database.sql`UPDATE ledger_entries SET amount = 1`).rejects.toThrow(/immutable/)
  await expect(database.sql`DELETE FROM ledger_entries`).rejects.toThrow(/immutable/)
  await expect(database.sql`UPDATE ledger_journals SET type = 'x'`).rejects.toThrow(/immutable/)
  await expect(database.sql`TRUNCATE ledger_entries CASCADE`).rejects.toThrow(/immutable/)
})

test('refuses to spend more than is available, and reports the available amount', async () => {
  await post('m7', 'in', [chain('x', 5n), available('u', -5n)])
  const spend = post('m7', 'out', [available('u', 6n), reserved('u', -6n)])
  await expect(spend).rejects.toBeInstanceOf(KeyturnError)
  await expect(post('m7', 'out', [available('u', 6n), reserved('u', -6n)])).rejects.toMatchObject({
    code: 'INSUFFICIENT_BALANCE',
    details: { requested: '6', available: '5', coin: 'btc' },
  })
  expect(await balanceOf('m7', 'available', 'u')).toBe(-5n)
})

test("lets the merchant's own account go below zero", async () => {
  await post('m8', 'own', [available('', 6n), reserved('', -6n)])
  expect(await balanceOf('m8', 'available', '')).toBe(6n)
})

test('never pays out more than came in when payouts race', async () => {
  await post('m9', 'in', [chain('x', 100n), available('u', -100n)])
  const outcomes = await Promise.allSettled(
    Array.from({ length: 30 }, (_, index) =>
      post('m9', `out${index}`, [available('u', 9n), reserved('u', -9n)]),
    ),
  )
  expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(11)
  expect(await balanceOf('m9', 'available', 'u')).toBe(-1n)
})

test('posts in parallel over the same accounts in any order, without deadlocks, gaps and lost amounts', async () => {
  const owners = ['a', 'b', 'c', 'd']
  await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      post(
        'm13',
        `k${index}`,
        owners.flatMap((_owner, step) => {
          const owner = owners[(index % 2 === 0 ? index + step : index + 4 - step) % 4] ?? ''
          return [chain(owner, 1n), reserved(owner, -1n)]
        }),
      ),
    ),
  )
  const rows = await database.sql`
    SELECT account.balance, account.version, count(*) AS entries, sum(entry.amount) AS sum,
           count(DISTINCT entry.account_version) AS versions, max(entry.account_version) AS last,
           bool_and(entry.balance_after = sign(account.balance) * entry.account_version) AS running
    FROM ledger_accounts account JOIN ledger_entries entry ON entry.account_id = account.id
    WHERE account.merchant_id = 'm13' GROUP BY account.id ORDER BY account.balance`
  const expected = { version: 60n, entries: 60n, versions: 60n, last: 60n, running: true }
  expect([...rows]).toEqual([
    ...owners.map(() => ({ ...expected, balance: -60n, sum: -60n })),
    ...owners.map(() => ({ ...expected, balance: 60n, sum: 60n })),
  ])
})

test('reverses a journal once, even if its amount is spent', async () => {
  const deposit = await post('m10', 'in', [chain('x', 5n), available('u', -5n)])
  await post('m10', 'out', [available('u', 5n), reserved('u', -5n)])
  const reverse = (key: string) =>
    database.sql.begin((tx) =>
      reverseJournal(tx, {
        merchantId: 'm10',
        journalId: deposit.journalId,
        idempotencyKey: key,
        type: 'deposit.reverted',
        reference: 'd',
      }),
    )
  await reverse('undo')
  expect(await balanceOf('m10', 'available', 'u')).toBe(5n)
  expect(await balanceOf('m10', 'chain', 'x')).toBe(0n)
  expect((await reverse('undo')).replayed).toBe(true)
  await expect(reverse('undo-again')).rejects.toThrow()
})

test('holds a uint256 exactly', async () => {
  const huge = (1n << 256n) - 1n
  await post('m11', 'in', [chain('x', huge), available('u', -huge)])
  expect(await balanceOf('m11', 'chain', 'x')).toBe(huge)
})

test('posts a batch with the same result as single journals', async () => {
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          owner: fc.constantFrom('a', 'b', 'c'),
          amount: fc.bigInt(1n, 1_000n),
          key: fc.integer({ min: 0, max: 12 }),
        }),
        {
          minLength: 1,
          maxLength: 15,
        },
      ),
      async (movements) => {
        run += 1
        const unique = [...new Map(movements.map((movement) => [movement.key, movement])).values()]
        const journals = unique.map((movement) => ({
          idempotencyKey: `k${movement.key}`,
          type: 'test',
          reference: 'r',
          entries: [chain(movement.owner, movement.amount), reserved(movement.owner, -movement.amount)],
        }))
        await database.sql.begin((tx) => postJournals(tx, `batch${run}`, journals))
        for (const journal of journals) {
          await database.sql.begin((tx) => postJournal(tx, { merchantId: `single${run}`, ...journal }))
        }
        const read = (merchantId: string) => database.sql`
          SELECT account.kind, account.owner, entry.account_version, entry.amount, entry.balance_after
          FROM ledger_entries entry JOIN ledger_accounts account ON account.id = entry.account_id
          WHERE account.merchant_id = ${merchantId} ORDER BY 1, 2, 3`
        expect([...(await read(`batch${run}`))]).toEqual([...(await read(`single${run}`))])
        expect([
          ...(await database.sql`
            SELECT 1 FROM ledger_accounts WHERE merchant_id = ${`batch${run}`} GROUP BY network, coin HAVING sum(balance) <> 0`),
        ]).toEqual([])
      },
    ),
    { numRuns: 25 },
  )
})

test.each([
  ['never analysed', async () => {}],
  ['analysed while it was small', async (sql: Sql) => void (await sql`ANALYZE`)],
])('reads as many rows of a large ledger as of a small one, when it was %s', async (_, analyse) => {
  // Plans are kept for a connection: the one of this pool has those of the small ledger.
  const ledger = await freshDatabase({ max: 1 })
  const journal = (key: string, owner: string) => ({
    merchantId: 'm',
    idempotencyKey: key,
    type: 'test',
    reference: 'r',
    entries: [chain(owner, 1n), reserved(owner, -1n)],
  })
  const counted = async (tx: Transaction) => {
    const [read] = await tx<{ rows: bigint }[]>`
      SELECT sum(seq_tup_read + idx_tup_fetch) AS rows FROM pg_stat_xact_user_tables
      WHERE relname IN ('ledger_accounts', 'ledger_journals')`
    return Number(read?.rows)
  }
  const rowsRead = (key: string) =>
    ledger.sql.begin(async (tx) => {
      const before = await counted(tx)
      await postJournal(tx, journal(key, 'a'))
      return (await counted(tx)) - before
    })
  try {
    await postJournal(ledger.sql, journal('first', 'a'))
    // PostgreSQL analyses a table by itself after 50 changes.
    for (let number = 0; number < 50; number++) await postJournal(ledger.sql, journal(`a${number}`, 'a'))
    await analyse(ledger.sql)
    const small = { posted: await rowsRead('small'), replayed: await rowsRead('first') }
    expect(small.posted).toBeGreaterThan(0)
    for (let owner = 0; owner < 200; owner++) await postJournal(ledger.sql, journal(`${owner}`, `${owner}`))
    expect({ posted: await rowsRead('large'), replayed: await rowsRead('first') }).toEqual(small)
  } finally {
    await ledger.drop()
  }
})
