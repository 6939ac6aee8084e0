/** Checks that the sequence of events has no gap, and that every event is sealed in time. */

import { type BooksCheck, eachPage, PAGE, type Page } from './check.js'

interface Gap {
  readonly id: string
  readonly expected: string
  readonly actual: string
}

export const eventSequence: BooksCheck = {
  name: 'event_sequence',
  async *examine(tx, { merchantId, soonMs }, findings) {
    let last = 0n
    yield* eachPage(
      '0',
      async (after) => {
        const pages = await tx<Page<string, Gap>[]>`
          WITH page AS MATERIALIZED (
            SELECT id, sequence, lag(sequence, 1, ${after}::bigint) OVER (ORDER BY sequence) AS previous
            FROM (
              SELECT id, sequence FROM events WHERE merchant_id = ${merchantId} AND sequence > ${after}::bigint
              ORDER BY sequence LIMIT ${PAGE}
            ) event
          ), gap AS (
            SELECT id, (previous + 1)::text AS expected, sequence::text AS actual FROM page
            WHERE sequence <> previous + 1
          )
          SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(sequence)::text FROM page) AS last,
                 (SELECT coalesce(jsonb_agg(gap ORDER BY actual::bigint), '[]') FROM gap) AS found`
        last = BigInt(pages[0]?.last ?? last)
        return pages
      },
      ({ id, expected, actual }) =>
        findings.differ({
          subject: { type: 'event', id },
          field: 'sequence',
          network: null,
          coin: null,
          expected,
          actual,
          reason: 'The sequence of events has a gap before this one',
        }),
    )
    const [head] = await tx<{ sequence: bigint }[]>`
      SELECT sequence FROM event_sequences WHERE merchant_id = ${merchantId}`
    if ((head?.sequence ?? 0n) !== last) {
      findings.differ({
        subject: { type: 'merchant', id: merchantId },
        field: 'sequence',
        network: null,
        coin: null,
        expected: String(head?.sequence ?? 0n),
        actual: String(last),
        reason: 'The last event of the merchant is not the last one that was numbered',
      })
    }
    const unsealed = await tx<{ id: string; late: boolean }[]>`
      SELECT id, occurred_at < clock_timestamp() - ${soonMs} * interval '1 millisecond' AS late FROM events
      WHERE sequence IS NULL AND merchant_id = ${merchantId} ORDER BY position`
    for (const { id, late } of unsealed) {
      const event = {
        subject: { type: 'event', id },
        field: 'sequence',
        network: null,
        coin: null,
        expected: 'sealed',
        actual: null,
      }
      if (late) findings.differ({ ...event, reason: 'The event should have been sealed by now' })
      else findings.expect({ ...event, reason: 'The event is not sealed yet' })
    }
    yield unsealed.length
  },
}
