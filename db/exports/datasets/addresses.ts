/** Addresses as an export has them: those of users, wallets and change, with what lies on them outside the books. */

import { formatAmount } from '../../../domain/money.js'
import type { ExportedAddress } from '../../../wire/export.js'
import { iso, type Queryable } from '../../connect.js'
import { type Dataset, nested, type Selection, text, windowOf } from '../dataset.js'

interface AddressRow {
  readonly id: string
  readonly address: string
  readonly network: string
  readonly user_reference: string | null
  readonly label: string | null
  readonly kind: ExportedAddress['kind']
  readonly derivation_path: string
  readonly created_at: Date
  /** Amounts are base units as texts. */
  readonly outside: readonly {
    readonly coin: string
    readonly amount: string
    readonly source: ExportedAddress['outside_books'][number]['source']
    readonly block_number: number | null
  }[]
  readonly booked: readonly {
    readonly coin: string
    readonly amount: string
    readonly source: ExportedAddress['booked_rises'][number]['source']
    readonly block_number: number
    readonly journal_id: string
    readonly booked_at: string
  }[]
}

export const addresses: Dataset<AddressRow, ExportedAddress> = {
  // An address takes its time before it is stored, so a later one may appear before those that were read.
  sequenced: false,
  pageRows: 1_000,
  rows: (sql, selection) => sql`
    SELECT address.id, address.address, address.network, address.user_reference, address.label, address.kind,
           address.derivation_path, address.created_at, coalesce((
             SELECT jsonb_agg(jsonb_build_object('coin', coin, 'amount', amount::text, 'source', source,
                                                 'block_number', block_number) ORDER BY coin, block_number, source) FROM (
               SELECT coin, amount, 'small_transfer' AS source, nullif(block_number, -1) AS block_number
               FROM small_transfers WHERE address_id = address.id
               UNION ALL
               SELECT coin, sum(amount), source, block_number FROM balance_rises
               WHERE network = address.network AND address_id = address.id AND journal_id IS NULL
               GROUP BY coin, source, block_number
             ) each), '[]') AS outside, coalesce((
             SELECT jsonb_agg(jsonb_build_object(
               'coin', rise.coin, 'amount', rise.amount::text, 'source', rise.source,
               'block_number', rise.block_number, 'journal_id', rise.journal_id::text,
               'booked_at', ${iso(sql, 'journal.at')}) ORDER BY rise.journal_id)
             FROM balance_rises rise CROSS JOIN LATERAL (
               SELECT min(recorded_at) AS at FROM ledger_entries WHERE journal_id = rise.journal_id
             ) journal
             WHERE rise.network = address.network AND rise.address_id = address.id AND rise.journal_id IS NOT NULL
           ), '[]') AS booked
    ${from(sql, selection)} ORDER BY address.id`,
  count: (sql, selection) => sql`SELECT count(*)::bigint AS count ${from(sql, selection)}`,
  async lines(rows, { decimalsOf }) {
    return rows.map(({ outside, booked, created_at, ...row }) => ({
      view: {
        ...row,
        created_at: created_at.toISOString(),
        outside_books: outside.map(({ coin, amount, source, block_number }) => ({
          coin,
          amount: formatAmount(BigInt(amount), decimalsOf(row.network, coin)),
          source,
          block_number,
        })),
        booked_rises: booked.map((rise) => ({
          ...rise,
          amount: formatAmount(BigInt(rise.amount), decimalsOf(row.network, rise.coin)),
        })),
      },
      sequence: null,
    }))
  },
  columns: [
    text('id', (address) => address.id),
    text('address', (address) => address.address),
    text('network', (address) => address.network),
    text('kind', (address) => address.kind),
    text('user_reference', (address) => address.user_reference),
    text('label', (address) => address.label),
    text('derivation_path', (address) => address.derivation_path),
    text('created_at', (address) => address.created_at),
    nested('outside_books', (address) => address.outside_books),
    nested('booked_rises', (address) => address.booked_rises),
  ],
  json: JSON.stringify,
}

function from(sql: Queryable, { merchantId, filters }: Selection) {
  const { from, to } = windowOf(filters)
  return sql`
    FROM addresses address
    WHERE address.merchant_id = ${merchantId}
    ${filters.user_reference === undefined ? sql`` : sql`AND address.user_reference = ${filters.user_reference}`}
    ${filters.network === undefined ? sql`` : sql`AND address.network = ${filters.network}`}
    ${from === undefined ? sql`` : sql`AND address.created_at >= ${from}`}
    ${to === undefined ? sql`` : sql`AND address.created_at < ${to}`}`
}
