/** Measures journals a second: one at a time over 20 connections, and in batches of 500. */

import { type Journal, postJournal, postJournals } from '../db/books/ledger/post-journal.js'
import type { BenchContext } from './context.js'
import { type Measurement, rate } from './measurement.js'

/** Targets for a machine of two cores. */
const SINGLE = 2_500
const BATCHED = 8_000
const BATCH = 500
const SECONDS = 6

/** Measures the journals of deposits of 1,000 users at their confirmation. */
export async function benchJournals(context: BenchContext): Promise<Measurement[]> {
  const { sql } = await context.database({ max: 20 })
  const single = await rate(SECONDS, 20, async (index) => {
    await postJournal(sql, journal('single', index))
  })
  const batched = await rate(SECONDS, 3, async (index) => {
    await postJournals(
      sql,
      'batched',
      Array.from({ length: BATCH }, (_, each) => journal('batched', index * BATCH + each)),
    )
    return BATCH
  })
  return [line('journals, one at a time', single, SINGLE), line('journals, batches of 500', batched, BATCHED)]
}

function journal(merchantId: string, index: number): Journal {
  const user = `user-${index % 1_000}`
  const asset = { network: 'bitcoin', coin: 'btc' }
  return {
    merchantId,
    idempotencyKey: `deposit:${index}`,
    type: 'deposit.confirmed',
    reference: `deposit-${index}`,
    entries: [
      { ...asset, kind: 'chain', owner: `address-${index % 1_000}`, amount: 100n },
      { ...asset, kind: 'reserved', owner: user, amount: -100n },
    ],
  }
}

function line(name: string, ours: number, target: number): Measurement {
  return { name, unit: '/s', ours, against: 'target', reference: target, ratio: ours / target, expected: 1 }
}
