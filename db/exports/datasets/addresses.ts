/** Addresses as an export has them: those of users, wallets and change, with what lies on them outside the books. */

import { formatAmount } from '../../../domain/money.js'
import type { ExportedAddress } from '../../../wire/export.js'
import type { Queryable } from '../../connect.js'
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
  /** Base units as texts, by coin. */
  readonly outside: readonly { readonly coin: string; readonly amount: string }[]
}

export const addresses: Dataset<AddressRow, ExportedAddress> = {
  // An address takes its time before it is stored, so a later one may appear before those that were read.
  sequenced: false,
  pageRows: 1_000,
  rows: (sql, selection) => sql`
    SELECT address.id, address.address, address.network, address.user_reference, address.label, address.kind,
           address.derivation_path, address.created_at, coalesce((
             SELECT jsonb_agg(jsonb_build_object('coin', coin, 'amount', amount::text) ORDER BY coin) FROM (
               SELECT coin, sum(amount) AS amount FROM (
                 SELECT coin, amount FROM small_transfers WHERE address_id = address.id
                 UNION ALL
                 SELECT coin, amount FROM balance_rises
                 WHERE network = address.network AND address_id = address.id
               ) each GROUP BY coin
             ) summed), '[]') AS outside
    ${from(sql, selection)} ORDER BY address.id`,
  count: (sql, selection) => sql`SELECT count(*)::bigint AS count ${from(sql, selection)}`,
  async lines(rows, { decimalsOf }) {
    return rows.map(({ outside, created_at, ...row }) => ({
      view: {
        ...row,
        created_at: created_at.toISOString(),
        outside_books: outside.map(({ coin, amount }) => ({
          coin,
          amount: formatAmount(BigInt(amount), decimalsOf(row.network, coin)),
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
