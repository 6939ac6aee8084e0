/** The ledger as an export has it: one line an entry, in the order in which each account changed. */

import { formatDigits } from '../../../domain/money.js'
import type { LedgerEntry } from '../../../wire/export.js'
import type { AccountKind } from '../../books/ledger/post-journal.js'
import type { Queryable } from '../../connect.js'
import { type Dataset, number, type Selection, text, windowOf } from '../dataset.js'

/** Row whose numbers and time stay texts, because a million of them take a second to parse. */
interface EntryRow {
  readonly sequence: string
  readonly journal_id: string
  readonly recorded_at: string
  readonly type: string
  readonly kind: AccountKind
  readonly owner: string
  readonly network: string
  readonly coin: string
  readonly amount: string
  readonly balance_after: string
  readonly reference: string
}

/**
 * The sequence counts the entries of the merchant by the time at which they were recorded, under the locks of
 * their accounts. An account's entries are in the order of its versions, also where several have one time. No
 * later entry comes before a time that has settled (`settleTime`), so a sequence never changes.
 */
export const ledger: Dataset<EntryRow, LedgerEntry> = {
  sequenced: true,
  pageRows: 2_000,
  rows: (sql, selection) => sql`
    SELECT entry.sequence::text, entry.journal_id::text, entry.recorded_at::text, entry.type, entry.kind, entry.owner,
           entry.network, entry.coin, entry.amount::text, entry.balance_after::text, entry.reference
    FROM (${numbered(sql, selection)}) entry
    WHERE entry.sequence > ${selection.after.toString()}::bigint ${narrow(sql, selection)}
    ORDER BY entry.recorded_at, entry.account_id, entry.account_version`,
  count: (sql, selection) => sql`
    SELECT count(*)::bigint AS count
    FROM (
      SELECT account.kind, account.owner, account.network, account.coin, journal.type, journal.reference
      ${entries(sql, selection)} ${window(sql, selection)}
    ) entry
    WHERE true ${narrow(sql, selection)}`,
  async lines(rows, { decimalsOf }) {
    return rows.map((row) => {
      const decimals = decimalsOf(row.network, row.coin)
      return {
        sequence: BigInt(row.sequence),
        view: {
          sequence: Number(row.sequence),
          journal_id: row.journal_id,
          recorded_at: isoOfText(row.recorded_at),
          type: row.type,
          account: row.owner === '' ? row.kind : `${row.kind}:${row.owner}`,
          network: row.network,
          coin: row.coin,
          amount: formatDigits(row.amount, decimals),
          balance_after: formatDigits(row.balance_after, decimals),
          reference: row.reference,
        },
      }
    })
  },
  columns: [
    number('sequence', (entry) => entry.sequence),
    number('journal_id', (entry) => entry.journal_id),
    text('recorded_at', (entry) => entry.recorded_at),
    text('type', (entry) => entry.type),
    text('account', (entry) => entry.account),
    text('network', (entry) => entry.network),
    text('coin', (entry) => entry.coin),
    number('amount', (entry) => entry.amount),
    number('balance_after', (entry) => entry.balance_after),
    text('reference', (entry) => entry.reference),
  ],
  json: JSON.stringify,
}

/** Numbers every entry of the window, also those that other filters leave out. */
function numbered(sql: Queryable, selection: Selection) {
  const { from } = windowOf(selection.filters)
  return sql`
    SELECT ${
      from === undefined
        ? sql`0`
        : sql`(SELECT count(*) ${entries(sql, selection)} AND entry.recorded_at < ${from})`
    } + row_number() OVER (ORDER BY entry.recorded_at, entry.account_id, entry.account_version) AS sequence,
           entry.account_id, entry.account_version, entry.journal_id, entry.recorded_at, entry.amount,
           entry.balance_after, account.kind, account.owner, account.network, account.coin, journal.type,
           journal.reference
    ${entries(sql, selection)} ${window(sql, selection)}`
}

function entries(sql: Queryable, { merchantId, asOf }: Selection) {
  return sql`
    FROM ledger_accounts account JOIN ledger_entries entry ON entry.account_id = account.id
    JOIN ledger_journals journal ON journal.id = entry.journal_id
    WHERE account.merchant_id = ${merchantId}
    ${asOf === null ? sql`` : sql`AND entry.recorded_at <= ${asOf}::text::timestamptz`}`
}

function window(sql: Queryable, { filters }: Selection) {
  const { from, to } = windowOf(filters)
  return sql`
    ${from === undefined ? sql`` : sql`AND entry.recorded_at >= ${from}`}
    ${to === undefined ? sql`` : sql`AND entry.recorded_at < ${to}`}`
}

function narrow(sql: Queryable, { merchantId, filters }: Selection) {
  const { user_reference, network, coin, account, type, reference } = filters
  const colon = account?.indexOf(':') ?? -1
  return sql`
    ${
      user_reference === undefined
        ? sql``
        : sql`AND (entry.kind IN ('available', 'reserved') AND entry.owner = ${user_reference}
                   OR entry.kind = 'chain' AND entry.owner IN (
                     SELECT id FROM addresses
                     WHERE merchant_id = ${merchantId} AND user_reference = ${user_reference}))`
    }
    ${network === undefined ? sql`` : sql`AND entry.network = ${network}`}
    ${coin === undefined ? sql`` : sql`AND entry.coin = ${coin}`}
    ${
      account === undefined
        ? sql``
        : colon === -1
          ? sql`AND entry.kind = ${account}`
          : sql`AND entry.kind = ${account.slice(0, colon)} AND entry.owner = ${account.slice(colon + 1)}`
    }
    ${type === undefined ? sql`` : sql`AND entry.type = ${type}`}
    ${reference === undefined ? sql`` : sql`AND entry.reference = ${reference}`}`
}

/** Returns a time that PostgreSQL wrote in UTC (`2026-01-31 10:00:00.123456+00`) as ISO 8601 with milliseconds. */
function isoOfText(text: string): string {
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00$/.test(text)) return new Date(text).toISOString()
  const fraction = text.length > 22 ? text.slice(20, -3).padEnd(3, '0').slice(0, 3) : '000'
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction}Z`
}
