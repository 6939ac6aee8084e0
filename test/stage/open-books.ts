/** Opens the books of a new merchant: people who close periods, and journals of bitcoin. */

import { postJournal } from '../../db/books/ledger/post-journal.js'
import { reverseJournal } from '../../db/books/ledger/reverse-journal.js'
import { advanceControlChange } from '../../db/controls/changes/advance-control-change.js'
import type { Decision } from '../../domain/controls/approval.js'
import { dateJournals } from './date-journals.js'
import { newPerson, sendDecision, type TestPerson } from './people.js'
import type { Answer, ApiKeyPair, TestApi } from './test-api.js'

const ASSET = { network: 'bitcoin', coin: 'btc' }

export interface JournalOptions {
  readonly fee?: bigint
  readonly height?: number | null
  /** Time of the booking. Default: now. */
  readonly at?: Date
}

export interface Books {
  readonly merchantId: string
  readonly key: ApiKeyPair
  readonly people: readonly [TestPerson, TestPerson, TestPerson]
  call(method: string, path: string, body?: unknown, key?: ApiKeyPair): Promise<Answer>
  /** Posts a journal of bitcoin. Amounts are in base units by `kind:owner`. */
  post(type: string, entries: Readonly<Record<string, bigint>>, options?: JournalOptions): Promise<bigint>
  reverse(journal: bigint): Promise<bigint>
  /** Asks for the close with the key of the first person. */
  close(period: string): Promise<Answer>
  reopen(period: string): Promise<Answer>
  decide(period: string, person: TestPerson, decision?: Decision): Promise<Answer>
  /**
   * Ends the reconciliation that the close of a period waits for, as if it had compared at the blocks of the proof.
   *
   * @param differs - Check that found something.
   */
  reconcile(period: string, differs?: string): Promise<void>
  /** Takes the steps of the workflow of the newest request about a period. @returns Its state. */
  advance(period: string): Promise<string>
  /** Sends both approvals, ends the reconciliation and advances. @returns The state of the request. */
  approve(period: string): Promise<string>
}

/**
 * Opens the books.
 *
 * @param since - Time at which the merchant came. Default: now.
 */
export async function openBooks(api: TestApi, since = new Date()): Promise<Books> {
  const { sql } = api.database
  const merchantId = await api.newMerchant()
  await sql`UPDATE merchants SET created_at = ${since} WHERE id = ${merchantId}`
  const key = await api.newKey({ merchantId })
  const own: TestApi = {
    ...api,
    merchantId,
    newKey: (options = {}) => api.newKey({ ...options, merchantId }),
    call: (call) => api.call({ key, ...call }),
  }
  const people = await Promise.all(['asks', 'first', 'second'].map((name) => newPerson(own, name)))
  const [asker, first, second] = people
  if (!asker || !first || !second) throw new Error('three people')
  let posted = 0
  const books: Books = {
    merchantId,
    key,
    people: [asker, first, second],
    call: (method, path, body, as = key) =>
      api.call({ method, path: `/api/v1${path}`, key: as, ...(body === undefined ? {} : { body }) }),
    async post(type, entries, { fee, height = null, at } = {}) {
      const { journalId } = await postJournal(
        sql,
        {
          merchantId,
          idempotencyKey: `${merchantId}:${++posted}`,
          type,
          reference: `test-${posted}`,
          height,
          ...(fee === undefined ? {} : { fees: { btc: fee } }),
          entries: Object.entries(entries).map(([account, amount]) => {
            const [kind, owner = ''] = account.split(':')
            return { ...ASSET, kind: kind as 'chain', owner, amount }
          }),
        },
        { allowOverdraft: true },
      )
      if (at) await dateJournals(sql, new Map([[journalId, at]]))
      return journalId
    },
    reverse: async (journalId) =>
      (
        await sql.begin((tx) =>
          reverseJournal(tx, {
            merchantId,
            journalId,
            idempotencyKey: `undo:${journalId}`,
            type: 'deposit.reverted',
            reference: 'test',
          }),
        )
      ).journalId,
    close: (period) => books.call('POST', '/periods/close', { period }, asker.key),
    reopen: (period) => books.call('POST', `/periods/${period}/reopen`, { reason: 'a mistake' }, asker.key),
    decide: (period, person, decision = 'approve') =>
      sendDecision(own, `/api/v1/periods/${period}`, person, decision),
    async reconcile(period, differs) {
      const [run] = await sql<{ id: string }[]>`
        UPDATE reconciliation_runs SET status = ${differs === undefined ? 'clean' : 'differences'}, finished_at = now(),
          blocks = (SELECT proof FROM periods WHERE merchant_id = ${merchantId} AND period = ${period})
        WHERE status = 'running'
          AND id = (SELECT run_id FROM periods WHERE merchant_id = ${merchantId} AND period = ${period})
        RETURNING id`
      if (!run || differs === undefined) return
      await sql`
        INSERT INTO reconciliation_checks (run_id, name, place, differences, finished_at)
        VALUES (${run.id}, ${differs}, 1, 1, now())`
    },
    async advance(period) {
      const [row] = await sql<{ id: string }[]>`
        SELECT change_id AS id FROM periods WHERE merchant_id = ${merchantId} AND period = ${period}`
      const networks = api.dependencies.networks
      return (await advanceControlChange(sql, networks, row?.id ?? '', new Date())).state
    },
    async approve(period) {
      for (const person of [first, second]) {
        const { status, json } = await books.decide(period, person)
        if (status !== 201) throw new Error(JSON.stringify(json))
      }
      await books.reconcile(period)
      return books.advance(period)
    },
  }
  return books
}
