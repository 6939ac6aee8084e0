/** Deposits as an export has them: the rows of `GET /deposits`, by time of detection. */

import { findNetwork } from '../../../domain/chain/network.js'
import type { DepositStatus } from '../../../domain/deposits/deposit-status.js'
import type { Deposit } from '../../../wire/deposit.js'
import type { Queryable } from '../../connect.js'
import { selectDeposits } from '../../deposits/deposit-row.js'
import { depositView } from '../../deposits/deposit-view.js'
import { type ListedDeposit, narrowDeposits } from '../../deposits/list-deposits.js'
import { type Dataset, number, type Selection, text, windowOf } from '../dataset.js'

export const deposits: Dataset<ListedDeposit, Deposit> = {
  sequenced: false,
  pageRows: 500,
  rows: (sql, selection) => sql`
    SELECT each.*, cursor.height AS scanned_height
    FROM (
      ${selectDeposits(sql)} WHERE deposit.merchant_id = ${selection.merchantId} ${narrow(sql, selection)}
      ORDER BY deposit.id
    ) each
    LEFT JOIN chain_cursors cursor ON cursor.network = each.network
    ORDER BY each.id`,
  count: (sql, selection) => sql`
    SELECT count(*)::bigint AS count FROM deposits deposit
    WHERE deposit.merchant_id = ${selection.merchantId} ${narrow(sql, selection)}`,
  async lines(rows, { networks }) {
    return rows.map((row) => {
      const height = row.scanned_height === null ? null : Number(row.scanned_height)
      return { view: depositView(findNetwork(networks, row.network), row, height), sequence: null }
    })
  },
  columns: [
    text('id', (deposit) => deposit.id),
    text('status', (deposit) => deposit.status),
    text('network', (deposit) => deposit.network),
    text('coin', (deposit) => deposit.coin),
    number('amount', (deposit) => deposit.amount),
    text('user_reference', (deposit) => deposit.user_reference),
    text('address', (deposit) => deposit.address.address),
    text('address_id', (deposit) => deposit.address.id),
    text('address_label', (deposit) => deposit.address.label),
    text('transaction_hash', (deposit) => deposit.transaction_hash),
    number('output_index', (deposit) => deposit.output_index),
    number('confirmations', (deposit) => deposit.confirmations),
    number('required_confirmations', (deposit) => deposit.required_confirmations),
    number('block_number', (deposit) => deposit.block_number),
    text('block_hash', (deposit) => deposit.block_hash),
    text('block_time', (deposit) => deposit.block_time),
    number('fee', (deposit) => deposit.fee?.amount ?? null),
    text('fee_coin', (deposit) => deposit.fee?.coin ?? null),
    text('payment_id', (deposit) => deposit.payment_id),
    text('detected_at', (deposit) => deposit.detected_at),
    text('updated_at', (deposit) => deposit.updated_at),
    text('confirmed_at', (deposit) => deposit.confirmed_at),
    text('credited_at', (deposit) => deposit.credited_at),
  ],
  json: JSON.stringify,
}

function narrow(sql: Queryable, { merchantId, filters }: Selection) {
  return narrowDeposits(sql, merchantId, {
    userReference: filters.user_reference,
    network: filters.network,
    coin: filters.coin,
    status: filters.status as DepositStatus | undefined,
    address: filters.address,
    transactionHash: filters.transaction_hash,
    paymentId: filters.payment_id,
    ...windowOf(filters),
  })
}
