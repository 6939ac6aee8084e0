/**
 * Fires a schedule: requests an ordinary withdrawal once for each nominal time, even if the time fires twice.
 */

import { findCoin, findNetwork, type Networks } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import { appendAudit } from '../../audit/append-audit.js'
import { inTransaction, json, type Sql, type Transaction } from '../../connect.js'
import { requireUnpaused } from '../../controls/pauses/find-pause.js'
import { appendEvent } from '../../events/log/append-event.js'
import { noticeEvent } from '../../events/log/notice-event.js'
import { newId } from '../../new-id.js'
import { createWithdrawal } from '../withdrawals/create-withdrawal.js'
import type { FiringRow } from './list-schedules.js'
import type { ScheduleRow } from './schedule-row.js'

/** Outcome of a firing. Small and JSON, because it goes into a workflow's history. */
export type Firing =
  | { readonly outcome: 'created'; readonly withdrawalId: string }
  | { readonly outcome: 'refused'; readonly code: string; readonly message: string }
  /** The schedule was removed, paused or ended meanwhile, or does not exist. */
  | { readonly outcome: 'idle' }

export interface FiringOptions {
  /** How long the withdrawal may wait until it is signed, in milliseconds. */
  readonly expiryMs: number
  /** Whether destinations are screened. */
  readonly screen: boolean
}

/**
 * Creates the withdrawal with all its checks and its hold, and the firing's row, in one transaction. A
 * refusal (balance, limit, whitelist, no signer, a pause of settlement, …) is stored in the firing's row too, appends a notice, and
 * the schedule goes on.
 *
 * @param nominalAt - Time for which the schedule fired, not the time at which it did. It is the firing's key.
 */
export async function fireSchedule(
  sql: Sql,
  networks: Networks,
  id: string,
  nominalAt: Date,
  options: FiringOptions,
): Promise<Firing> {
  return inTransaction(sql, async (tx): Promise<Firing> => {
    const [schedule] = await tx<ScheduleRow[]>`
      SELECT * FROM withdrawal_schedules WHERE id = ${id} FOR NO KEY UPDATE`
    if (!schedule) return { outcome: 'idle' }
    const [known] = await tx<FiringRow[]>`
      SELECT * FROM schedule_firings WHERE schedule_id = ${id} AND nominal_at = ${nominalAt}`
    if (known) return toFiring(known)
    const over = schedule.end_at !== null && nominalAt > schedule.end_at
    if (schedule.deleted_at !== null || schedule.paused || over) return { outcome: 'idle' }
    const firingId = newId('fir')
    try {
      const { merchant_id: merchantId, template } = schedule
      await requireUnpaused(tx, { merchantId, network: template.network, coin: template.coin })
      // The savepoint undoes what a refused withdrawal left behind; the firing's row stays.
      const withdrawalId = (await tx.savepoint(async (point) => {
        const key = await keyOf(point, schedule, nominalAt, firingId)
        const made = await ask(point, networks, schedule, key, options)
        await point`
          INSERT INTO schedule_firings (id, schedule_id, nominal_at, outcome, withdrawal_id)
          VALUES (${firingId}, ${id}, ${nominalAt}, 'created', ${made})`
        return made
      })) as string
      return { outcome: 'created', withdrawalId }
    } catch (error) {
      if (!(error instanceof KeyturnError) || error.retryable) throw error
      await recordRefusal(tx, schedule, nominalAt, firingId, error)
      return { outcome: 'refused', code: error.code, message: error.message }
    }
  })
}

/**
 * Returns the firing's key, which is its `external_id`: unique, in the intent that people approve, and in
 * every export. The caller knows that no such firing is stored, so a withdrawal that has this `external_id`
 * already is of another origin, and keeps it.
 */
async function keyOf(
  tx: Transaction,
  { id, merchant_id }: ScheduleRow,
  nominalAt: Date,
  firingId: string,
): Promise<string> {
  const key = `${id}:${nominalAt.toISOString()}`
  const [taken] = await tx`SELECT FROM payouts WHERE merchant_id = ${merchant_id} AND external_id = ${key}`
  return taken ? `${key}:${firingId}` : key
}

async function ask(
  tx: Transaction,
  networks: Networks,
  schedule: ScheduleRow,
  externalId: string,
  { expiryMs, screen }: FiringOptions,
): Promise<string> {
  const { template } = schedule
  const network = findNetwork(networks, template.network)
  const coin = findCoin(network, template.coin)
  const {
    row: { id },
  } = await createWithdrawal(tx, networks, {
    merchantId: schedule.merchant_id,
    network,
    coin,
    amount: BigInt(template.amount),
    amountText: template.amount_text,
    toAddress: template.to_address,
    fromAddressId: template.from_address_id,
    feePayer: template.fee_payer,
    priority: template.priority,
    userReference: template.user_reference,
    externalId,
    metadata: template.metadata,
    initiator: schedule.initiator,
    coInitiators: schedule.co_initiators,
    actor: 'system:schedule',
    ...('country' in template ? { country: template.country ?? null } : {}),
    expiryMs,
    screen,
  })
  return id
}

async function recordRefusal(
  tx: Transaction,
  schedule: ScheduleRow,
  nominalAt: Date,
  firingId: string,
  { code, message, details }: KeyturnError,
): Promise<void> {
  const failure = { code, message, details }
  await tx`
    INSERT INTO schedule_firings (id, schedule_id, nominal_at, outcome, failure)
    VALUES (${firingId}, ${schedule.id}, ${nominalAt}, 'refused', ${json(tx, failure)})`
  const facts = { nominal_at: nominalAt.toISOString(), label: schedule.label, failure }
  await appendEvent(
    tx,
    noticeEvent({
      merchantId: schedule.merchant_id,
      kind: 'withdrawal_schedule.firing_refused',
      severity: 'medium',
      subject: schedule.id,
      facts: { message: `The withdrawal was refused (${code}); the schedule goes on`, ...facts },
    }),
  )
  await appendAudit(tx, {
    merchantId: schedule.merchant_id,
    actor: 'system:schedule',
    action: 'withdrawal_schedule.firing_refused',
    subject: schedule.id,
    data: facts,
  })
}

function toFiring(row: FiringRow): Firing {
  if (row.withdrawal_id !== null) return { outcome: 'created', withdrawalId: row.withdrawal_id }
  return { outcome: 'refused', code: row.failure?.code ?? '', message: row.failure?.message ?? '' }
}
