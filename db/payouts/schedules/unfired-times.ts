/** Finds firings that left no row, because their workflow was cut short before it requested anything. */

import type { Queryable } from '../../connect.js'
import { notPutOff } from '../../operations/sweep-failures.js'

export interface NominalTime {
  readonly scheduleId: string
  readonly nominalAt: Date
}

/** Returns those of `times` whose schedule is not removed and that have no firing, with their merchant. */
export async function unfiredTimes<T extends NominalTime>(
  sql: Queryable,
  times: readonly T[],
): Promise<(T & { readonly merchantId: string })[]> {
  if (times.length === 0) return []
  const rows = await sql<{ position: bigint; merchant_id: string }[]>`
    SELECT asked.position, schedule.merchant_id
    FROM unnest(${times.map((each) => each.scheduleId)}::text[], ${times.map((each) => each.nominalAt.toISOString())}::timestamptz[])
      WITH ORDINALITY AS asked (schedule_id, nominal_at, position)
    JOIN withdrawal_schedules schedule ON schedule.id = asked.schedule_id AND schedule.deleted_at IS NULL
    WHERE NOT EXISTS (
      SELECT FROM schedule_firings firing
      WHERE firing.schedule_id = asked.schedule_id AND firing.nominal_at = asked.nominal_at)
      AND ${notPutOff(sql, 'schedule.id')}
    ORDER BY asked.position`
  return rows.flatMap(({ position, merchant_id }) => {
    const time = times[Number(position) - 1]
    return time ? [{ ...time, merchantId: merchant_id }] : []
  })
}
