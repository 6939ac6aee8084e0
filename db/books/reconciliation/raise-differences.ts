/** Raises an exception for each cause that a run found, and closes those whose cause is gone. */

import { type Difference, type DifferenceAbout, networkOfCheck } from '../../../domain/books/difference.js'
import { missedCause } from '../../chain/missed-cause.js'
import { inTransaction, type Sql } from '../../connect.js'
import { appendEvents } from '../../events/log/append-events.js'
import { closeCauses } from '../exceptions/close-cause.js'
import { type NewException, raiseExceptions } from '../exceptions/raise-exception.js'
import type { ReconciliationRow } from './run-row.js'

/** Exceptions that one transaction raises or closes. */
const AT_ONCE = 200

type Run = Pick<ReconciliationRow, 'id' | 'merchant_id' | 'networks' | 'at_block'>

interface Row {
  readonly number: number
  readonly data: Difference
  readonly about: DifferenceAbout
}

/**
 * Raises the exceptions of a check that is done, and closes what it does not find any more. A second call changes
 * nothing, so an activity that died begins it again.
 */
export async function raiseDifferences(sql: Sql, run: Run, name: string): Promise<void> {
  const [check] = await sql<{ complete: boolean }[]>`
    SELECT differences = (
             SELECT count(*) FROM reconciliation_differences found
             WHERE found.run_id = checked.run_id AND found.check_name = checked.name AND found.due) AS complete
    FROM reconciliation_checks checked
    WHERE run_id = ${run.id} AND name = ${name} AND finished_at IS NOT NULL AND failure_code IS NULL AND NOT raised`
  if (!check) return
  for (let after = 0; ; ) {
    const rows = await sql<Row[]>`
      SELECT number, data, about FROM reconciliation_differences
      WHERE run_id = ${run.id} AND check_name = ${name} AND due AND number > ${after} ORDER BY number LIMIT ${AT_ONCE}`
    const last = rows.at(-1)
    if (!last) break
    await inTransaction(sql, async (tx) => {
      const raised = await raiseExceptions(
        tx,
        rows.map((row) => toException(run.merchant_id, { run_id: run.id, check: name }, row)),
      )
      await appendEvents(tx, raised)
    })
    after = last.number
  }
  // Of a check that found more than is stored, it is not known what is gone. What was true at an old block says
  // nothing about now.
  if (check.complete && run.at_block === null) await closeGone(sql, run, name)
  await sql`UPDATE reconciliation_checks SET raised = true WHERE run_id = ${run.id} AND name = ${name}`
}

/** Returns the exception of a difference. @param source - What found it, for the evidence. */
export function toException(
  merchantId: string,
  source: { readonly run_id?: string; readonly check: string },
  { data, about }: { readonly data: Difference; readonly about: DifferenceAbout },
): NewException {
  const { subject, expected, actual, reason, network, coin, field, ...more } = data
  return {
    merchantId,
    kind: about.kind,
    cause: about.cause,
    subject,
    reason: reason ?? 'Two sources say something different',
    expected,
    actual,
    paymentId: about.payment_id ?? null,
    userReference: about.user_reference ?? null,
    evidence: {
      ...source,
      network,
      coin,
      ...(field === undefined ? {} : { field }),
      ...more,
    },
    lasting: true,
  }
}

/** Begins of the causes that a check names. What it does not find again is gone. */
function causesOf(name: string): readonly string[] {
  if (name === 'orders') return ['order:', 'payment_without_order:']
  if (name === 'lifecycle') return ['paid_not_confirmed:']
  const network = networkOfCheck(name)
  return [`drift:${name}:`, ...(network === null ? [] : [missedCause(network, '')])]
}

/** Closes exceptions whose cause no check of the run found. Those of other networks than the run's stay. */
async function closeGone(sql: Sql, run: Run, name: string): Promise<void> {
  for (;;) {
    const closed = await inTransaction(sql, async (tx) => {
      const gone = await tx<{ cause: string }[]>`
        SELECT DISTINCT cause FROM exceptions exception
        WHERE merchant_id = ${run.merchant_id} AND cause_gone_at IS NULL
          AND kind IN ('drift', 'unattributed', 'order_mismatch', 'stuck', 'paid_not_confirmed')
          AND EXISTS (SELECT FROM unnest(${[...causesOf(name)]}::text[]) AS own (begin) WHERE starts_with(cause, own.begin))
          ${run.networks === null ? tx`` : tx`AND coalesce(evidence ->> 'network' = ANY (${[...run.networks]}), true)`}
          AND NOT EXISTS (
            SELECT FROM reconciliation_differences found
            WHERE found.run_id = ${run.id} AND found.due AND found.about ->> 'cause' = exception.cause)
        LIMIT ${AT_ONCE}`
      const evidence = { run_id: run.id, check: name, reason: 'A reconciliation does not find it any more' }
      await closeCauses(
        tx,
        gone.map(({ cause }) => ({ merchantId: run.merchant_id, cause, evidence })),
      )
      return gone.length
    })
    if (closed < AT_ONCE) return
  }
}
