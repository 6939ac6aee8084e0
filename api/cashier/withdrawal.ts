/** Checks and requests the withdrawals of a session, under all controls of the API. */

import { makeOnce } from '../../db/cashier/make-once.js'
import { sessionActor } from '../../db/cashier/use-token.js'
import { inTransaction } from '../../db/connect.js'
import { findRow, type PayoutRow } from '../../db/payouts/payout-row.js'
import { toWithdrawalStart } from '../../db/payouts/read-withdrawal-input.js'
import { createWithdrawal, type NewWithdrawal } from '../../db/payouts/withdrawals/create-withdrawal.js'
import { tryWithdrawal } from '../../db/payouts/withdrawals/try-withdrawal.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import { findCoin, findNetwork } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiDependencies } from '../context.js'
import { originOf, positiveAmount, requireSenderPays } from '../payouts/withdrawal-request.js'
import { startWithdrawalSoon } from '../start/start-withdrawal-soon.js'
import { type OfferedCoin, withNames } from './page.js'
import type { Session } from './session.js'

/** What a user typed. */
export interface WithdrawalFields {
  readonly network: string
  readonly coin: string
  readonly amount: string
  readonly to_address: string
  /** Whether the fee is taken out of the amount. */
  readonly deduct: boolean
}

/** Makes every check. @returns The withdrawal that would be made. @throws KeyturnError the first refusal. */
export async function checkCashierWithdrawal(
  dependencies: ApiDependencies,
  session: Session,
  fields: WithdrawalFields,
  ip: string | null,
): Promise<PayoutRow> {
  const { sql, networks } = dependencies
  return tryWithdrawal(sql, networks, toRequest(dependencies, session, fields, ip))
}

/**
 * Requests the withdrawal, once for each form.
 *
 * @param form - Random part of the form's token.
 * @returns Its id.
 * @throws KeyturnError the first refusal; `IDEMPOTENCY_CONFLICT` if the form was sent with other values before.
 */
export async function requestCashierWithdrawal(
  dependencies: ApiDependencies,
  session: Session,
  fields: WithdrawalFields,
  ip: string | null,
  form: string,
): Promise<string> {
  const { sql, networks } = dependencies
  const request = toRequest(dependencies, session, fields, ip)
  const { row, isNew } = await inTransaction(sql, async (tx) => {
    const { id, isNew } = await makeOnce(tx, session.id, form, async () => {
      const { row } = await createWithdrawal(tx, networks, request)
      return row.id
    })
    return { row: await findRow(tx, id), isNew }
  })
  if (!isNew) requireSame(row, request)
  if (isNew) startWithdrawalSoon(dependencies, row.id, null, toWithdrawalStart(networks, row))
  return row.id
}

function toRequest(
  dependencies: ApiDependencies,
  session: Session,
  fields: WithdrawalFields,
  ip: string | null,
): NewWithdrawal {
  const { environment } = dependencies
  const { network, coin } = offeredCoin(dependencies, session, fields)
  const feePayer = fields.deduct ? 'recipient' : 'sender'
  requireSenderPays(feePayer, coin)
  const amount = positiveAmount(fields.amount, coin.decimals)
  return {
    merchantId: session.merchant_id,
    network,
    coin,
    amount,
    toAddress: parseAddress(network, fields.to_address).address,
    fromAddressId: null,
    feePayer,
    priority: 'normal',
    userReference: session.user_reference,
    externalId: null,
    metadata: { cashier_session: session.id },
    initiator: session.initiator,
    actor: sessionActor(session.id),
    ...originOf(dependencies, ip),
    expiryMs: environment.KEYTURN_WITHDRAWAL_EXPIRY,
    screen: environment.KEYTURN_WITHDRAWAL_SCREENING_URL !== undefined,
  }
}

/** Returns a coin that the session offers. @throws KeyturnError `UNSUPPORTED_NETWORK` or `UNSUPPORTED_COIN`. */
export function offeredCoin(
  { networks }: ApiDependencies,
  { coins }: Session,
  { network: on, coin: name }: WithdrawalFields,
): OfferedCoin {
  const network = findNetwork(networks, on)
  const coin = findCoin(network, name)
  if (coins && !coins.some((each) => each.network === on && each.coin === name)) {
    throw new KeyturnError('UNSUPPORTED_COIN', `This session does not offer ${name} on ${on}`)
  }
  return withNames(network, coin)
}

function requireSame(row: PayoutRow, request: NewWithdrawal): void {
  const same =
    row.network === request.network.name &&
    row.coin === request.coin.name &&
    row.amount === request.amount &&
    row.to_address === request.toAddress &&
    row.fee_payer === request.feePayer
  if (same) return
  throw new KeyturnError('IDEMPOTENCY_CONFLICT', 'This form was sent before with other values. Open it again')
}
