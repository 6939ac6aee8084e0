/** Measures the close of a month with a million entries beside one with a tenth of them, and its statement. */

import { closePeriod } from '../db/books/periods/close-period.js'
import { readStatement } from '../db/books/periods/read-statement.js'
import { requestClose } from '../db/books/periods/request-close.js'
import { inTransaction, type Sql } from '../db/connect.js'
import type { PeriodCloseRow } from '../db/controls/changes/control-change-row.js'
import { monthOf } from '../domain/books/period.js'
import { loadNetworks } from '../networks/load-networks.js'
import type { BenchContext } from './context.js'
import { fillJournals } from './fill-journals.js'
import { type Measurement, median } from './measurement.js'
import { createBenchMerchant } from './merchant.js'

/** Journals of two entries: a tenth, and all. */
const SIZES = [50_000, 500_000] as const
const ROUNDS = 3
const MONTH = '2026-01'
/** Smallest expected share of linear growth. */
const EXPECTED = 0.5

/** Measures request and commit of a close, without the people and the reconciliation between them. */
export async function benchClose(context: BenchContext): Promise<Measurement[]> {
  const seconds: { close: number; statement: number }[] = []
  for (const journals of SIZES) {
    const { sql } = await context.database()
    const { id } = await createBenchMerchant(sql)
    context.progress(`  ${2 * journals} entries`)
    await fillJournals(sql, id, journals)
    await sql`INSERT INTO chain_cursors (network, height, block_hash, head_height) VALUES ('bitcoin', 1, 'hash-1', 1)`
    await sql`UPDATE merchants SET created_at = ${monthOf(MONTH).from} WHERE id = ${id}`
    const statement = await repeat(() => readStatement(sql, id, monthOf(MONTH)))
    const close = await repeat(() => closeAndForget(sql, id))
    seconds.push({ close, statement })
  }
  const [small, large] = seconds
  if (!small || !large) throw new Error('Nothing was measured')
  const line = (name: string, ours: number, tenth: number): Measurement => ({
    name,
    unit: 's',
    ours,
    against: 'ten times that of a tenth',
    reference: 10 * tenth,
    ratio: (10 * tenth) / ours,
    expected: EXPECTED,
  })
  return [
    line('close of a month with 1 M entries', large.close, small.close),
    line('its statement', large.statement, small.statement),
  ]
}

async function repeat(task: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now()
    await task()
    times.push((performance.now() - began) / 1_000)
  }
  return median(times)
}

/** Thrown to take the close back, so that it can be measured again. */
class Forget extends Error {}

async function closeAndForget(sql: Sql, merchantId: string): Promise<void> {
  const networks = await loadNetworks(undefined, {})
  try {
    await inTransaction(sql, async (tx) => {
      const { intent, run } = await requestClose(tx, networks, {
        merchantId,
        period: MONTH,
        settled: new Date(),
        early: false,
        initiator: 'bench',
        actor: 'bench',
        expiryMs: 60_000,
        mostRuns: 10,
      })
      await tx`UPDATE reconciliation_runs SET status = 'clean', finished_at = now() WHERE id = ${run.id}`
      const [row] = await tx<PeriodCloseRow[]>`SELECT * FROM control_changes WHERE id = ${intent.close}`
      const refusal = row ? await closePeriod(tx, networks, row, 'bench') : 'there is no request'
      throw refusal === null ? new Forget() : new Error(refusal)
    })
  } catch (error) {
    if (!(error instanceof Forget)) throw error
  }
}
