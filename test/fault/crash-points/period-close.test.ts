/** Kills a process at every commit of a close: the month is closed as it was signed, or it is not closed. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { readTrialBalance } from '../../../db/books/periods/read-trial-balance.js'
import { requestClose } from '../../../db/books/periods/request-close.js'
import { advanceControlChange } from '../../../db/controls/changes/advance-control-change.js'
import { monthOf, periodAfter, periodAt } from '../../../domain/books/period.js'
import { type ProofBlock, periodHash, type TrialBalanceLine } from '../../../domain/books/period-books.js'
import { type Books, openBooks } from '../../stage/open-books.js'
import { startTestApi, type TestApi } from '../../stage/test-api.js'
import { atEveryCommit } from './at-every-commit.js'

const LAST = periodAfter(periodAt(new Date()), -1)
const MIDDLE = new Date(monthOf(LAST).from.getTime() + 14 * 86_400_000)

/** Height of the last block of the month. Others follow it. */
const LAST_HEIGHT = 15
const HEAD = 20

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
  const { sql } = api.database
  for (let height = 0; height <= HEAD; height++) {
    const seconds = (height - LAST_HEIGHT) * 60 - 1
    await sql`
      INSERT INTO chain_blocks (network, height, hash, parent_hash, time)
      VALUES ('bitcoin', ${height}, ${hashOf(height)}, ${hashOf(height - 1)},
              ${new Date(monthOf(LAST).to.getTime() + seconds * 1_000)})`
  }
  await sql`
    INSERT INTO chain_cursors (network, height, block_hash, head_height)
    VALUES ('bitcoin', ${HEAD}, ${hashOf(HEAD)}, ${HEAD})`
})
afterAll(() => api?.database.drop())

const hashOf = (height: number) => `hash-${height}`

/** The newest block that was final at the end of the month. */
function provedBlock(): ProofBlock {
  const height = LAST_HEIGHT - (api.dependencies.networks.get('bitcoin')?.confirmations ?? 0) + 1
  return { network: 'bitcoin', block_number: height, block_hash: hashOf(height) }
}

test('is closed or is not, at whichever commit the process is killed, and is closed once in the end', async () => {
  const { networks } = api.dependencies
  const commits = await atEveryCommit<Books>(api.database, {
    async prepare() {
      const books = await openBooks(api, monthOf(LAST).from)
      await books.post(
        'deposit.confirmed',
        { 'chain:a': 3n, 'available:alice': -3n },
        { at: MIDDLE, height: 2 },
      )
      return books
    },
    async live(sql, books) {
      const { merchantId, people } = books
      const find = async () =>
        (
          await sql<{ status: string; change_id: string }[]>`
            SELECT status, change_id FROM periods WHERE merchant_id = ${merchantId} AND period = ${LAST}`
        )[0]
      if ((await find()) === undefined) {
        await sql.begin((tx) =>
          requestClose(tx, networks, {
            merchantId,
            period: LAST,
            settled: new Date(),
            early: false,
            initiator: people[0].id,
            actor: `person:${people[0].id}`,
            expiryMs: 60_000,
            mostRuns: 5,
          }),
        )
      }
      const asked = await find()
      if (asked?.status === 'closed') return
      // The approvers' processes live on.
      for (const person of people.slice(1)) await books.decide(LAST, person)
      await books.reconcile(LAST)
      await advanceControlChange(sql, networks, asked?.change_id ?? '', new Date())
      // What comes later is in the next month, whichever process booked it.
    },
    async facts({ merchantId }) {
      const { sql } = api.database
      const [period] = await sql<
        {
          status: string
          hash: string
          trial_balance: TrialBalanceLine[]
          proof: ProofBlock[]
          to_at: Date
          state: string
          statement: unknown
        }[]
      >`
        SELECT periods.*, change.state FROM periods JOIN control_changes change ON change.id = periods.change_id
        WHERE periods.merchant_id = ${merchantId}`
      if (!period) throw new Error('There is no period')
      const trial_balance = await readTrialBalance(sql, networks, merchantId, monthOf(LAST).to)
      const proof = [provedBlock()]
      expect(period.proof).toEqual(proof)
      expect(period.hash).toBe(periodHash({ period: LAST, trial_balance, proof }))
      const fences = await sql`SELECT closed_until FROM ledger_fences WHERE merchant_id = ${merchantId}`
      const audit = await sql<{ action: string }[]>`
        SELECT action FROM audit_log WHERE merchant_id = ${merchantId} AND action LIKE 'period%' ORDER BY position`
      return {
        status: period.status,
        state: period.state,
        statement: period.statement,
        fences: fences.map((fence) => ({ ...fence })),
        audit: audit.map(({ action }) => action),
      }
    },
  })
  expect(commits).toBeGreaterThanOrEqual(2)
})
