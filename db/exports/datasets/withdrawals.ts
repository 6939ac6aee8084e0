/** Withdrawals as an export has them: the rows of `GET /withdrawals`, by time of creation. */

import type { WithdrawalStatus } from '../../../domain/payouts/withdrawal-stage.js'
import type { Withdrawal } from '../../../wire/withdrawal.js'
import type { Queryable } from '../../connect.js'
import { narrowWithdrawals } from '../../payouts/withdrawals/list-withdrawals.js'
import {
  toWithdrawalView,
  type WithdrawalViewRow,
  withdrawalViewQuery,
} from '../../payouts/withdrawals/read-withdrawal-view.js'
import { type Dataset, nested, number, type Selection, text, windowOf } from '../dataset.js'

export const withdrawals: Dataset<WithdrawalViewRow, Withdrawal> = {
  sequenced: false,
  pageRows: 200,
  rows: (sql, selection) => sql`${withdrawalViewQuery(sql)} ${narrow(sql, selection)} ORDER BY withdrawal.id`,
  count: (sql, selection) =>
    sql`SELECT count(*)::bigint AS count FROM payouts withdrawal ${narrow(sql, selection)}`,
  async lines(rows, { networks }) {
    return rows.map((row) => ({ view: toWithdrawalView(networks, row), sequence: null }))
  },
  columns: [
    text('id', (withdrawal) => withdrawal.id),
    text('status', (withdrawal) => withdrawal.status),
    text('stage', (withdrawal) => withdrawal.stage),
    text('network', (withdrawal) => withdrawal.network),
    text('coin', (withdrawal) => withdrawal.coin),
    number('amount', (withdrawal) => withdrawal.amount),
    number('fee', (withdrawal) => withdrawal.fee),
    text('fee_coin', (withdrawal) => withdrawal.fee_coin),
    text('fee_payer', (withdrawal) => withdrawal.fee_payer),
    text('priority', (withdrawal) => withdrawal.priority),
    text('to_address', (withdrawal) => withdrawal.to_address),
    text('from_address', (withdrawal) => withdrawal.from_address),
    text('user_reference', (withdrawal) => withdrawal.user_reference),
    text('external_id', (withdrawal) => withdrawal.external_id),
    text('transaction_hash', (withdrawal) => withdrawal.transaction_hash),
    number('confirmations', (withdrawal) => withdrawal.confirmations),
    number('required_confirmations', (withdrawal) => withdrawal.required_confirmations),
    number('block_number', (withdrawal) => withdrawal.block_number),
    text('failure_code', (withdrawal) => withdrawal.failure?.code ?? null),
    text('failure_message', (withdrawal) => withdrawal.failure?.message ?? null),
    text('retry_of', (withdrawal) => withdrawal.retry_of),
    text('retried_by', (withdrawal) => withdrawal.retried_by),
    nested('metadata', (withdrawal) => withdrawal.metadata),
    text('created_at', (withdrawal) => withdrawal.created_at),
    text('updated_at', (withdrawal) => withdrawal.updated_at),
    text('confirmed_at', (withdrawal) => withdrawal.confirmed_at),
  ],
  json: JSON.stringify,
}

function narrow(sql: Queryable, { merchantId, filters }: Selection) {
  return sql`
    WHERE withdrawal.merchant_id = ${merchantId} AND withdrawal.kind = 'withdrawal'
    ${narrowWithdrawals(sql, {
      status: filters.status as WithdrawalStatus | undefined,
      network: filters.network,
      coin: filters.coin,
      userReference: filters.user_reference,
      externalId: filters.external_id,
      ...windowOf(filters),
    })}`
}
