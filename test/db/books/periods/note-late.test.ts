/** A booking that runs beside the request of a close, so that neither sees the other. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { postJournal } from '../../../../db/books/ledger/post-journal.js'
import { requestClose } from '../../../../db/books/periods/request-close.js'
import type { Transaction } from '../../../../db/connect.js'
import { monthOf, periodAfter, periodAt } from '../../../../domain/books/period.js'
import { type Books, openBooks } from '../../../stage/open-books.js'
import { startTestApi, type TestApi } from '../../../stage/test-api.js'

const THIS = periodAt(new Date())
const LAST = periodAfter(THIS, -1)

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
  const { sql } = api.database
  await sql`
    INSERT INTO chain_blocks (network, height, hash, parent_hash, time)
    SELECT 'bitcoin', height, 'hash-' || height, 'hash-' || height - 1,
           ${monthOf(THIS).from}::timestamptz + (height - 30) * interval '1 minute'
    FROM generate_series(0, 40) height`
  await sql`INSERT INTO chain_cursors (network, height, block_hash, head_height) VALUES ('bitcoin', 40, 'hash-40', 40)`
})
afterAll(() => api?.database.drop())

/** Begins to settle a payout of block 5. @returns The journal, and a function that commits it. */
async function beginSettlement({ merchantId }: Books) {
  let commit = () => {}
  const held = new Promise<void>((resolve) => {
    commit = resolve
  })
  let posted: (journal: bigint) => void = () => {}
  const begun = new Promise<bigint>((resolve) => {
    posted = resolve
  })
  const settling = api.database.sql.begin(async (tx) => {
    posted((await settle(tx, merchantId)).journalId)
    await held
  })
  return {
    journal: String(await begun),
    commit: () => {
      commit()
      return settling
    },
  }
}

async function request({ merchantId }: Books, period: string): Promise<void> {
  await api.database.sql.begin((tx) =>
    requestClose(tx, api.dependencies.networks, {
      merchantId,
      period,
      settled: new Date(),
      early: true,
      initiator: 'test',
      actor: 'system:test',
      expiryMs: 60_000,
      mostRuns: 5,
    }),
  )
}

const adjustmentsOf = async (books: Books): Promise<string[]> =>
  (await books.call('GET', `/periods/${THIS}`)).json.data.adjustments.map(
    ({ journal_id }: { journal_id: string }) => journal_id,
  )

function settle(tx: Transaction, merchantId: string) {
  const asset = { network: 'bitcoin', coin: 'btc' }
  return postJournal(tx, {
    merchantId,
    idempotencyKey: 'wdr_slow:settle',
    type: 'withdrawal.settled',
    reference: 'wdr_slow',
    height: 5,
    entries: [
      { ...asset, kind: 'chain', owner: 'a1', amount: -7n },
      { ...asset, kind: 'available', owner: '', amount: 7n },
    ],
  })
}

let books: Books
beforeEach(async () => {
  books = await openBooks(api, monthOf(LAST).from)
})

test('notes a payout that was settled beside the request of a close as an adjustment of the next month', async () => {
  const settlement = await beginSettlement(books)
  await request(books, LAST)
  await settlement.commit()
  const [block] = (await books.call('GET', `/periods/${LAST}`)).json.data.proof
  expect(block.block_number).toBeGreaterThan(5)
  expect(await books.approve(LAST)).toBe('effective')
  expect(await adjustmentsOf(books)).toEqual([settlement.journal])
  const { lines } = (await books.call('GET', `/statements/${THIS}`)).json.data
  expect(lines.find(({ coin }: { coin: string }) => coin === 'btc')).toMatchObject({
    out: '0',
    adjustments: '-0.00000007',
    closing: '-0.00000007',
  })
})

test('notes it at the request of the next close if it lasts longer than the first one', async () => {
  const settlement = await beginSettlement(books)
  await request(books, LAST)
  expect(await books.approve(LAST)).toBe('effective')
  await settlement.commit()
  expect(await adjustmentsOf(books)).toEqual([])
  await request(books, THIS)
  expect(await adjustmentsOf(books)).toEqual([settlement.journal])
})
